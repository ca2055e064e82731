/** Segmenting over HTTP: every shape of an answer, decoded again and held against the picture that was painted. */
import { beforeAll, describe, expect, it } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { mostSegments } from '#core/api/limits';
import { encodeIndexPng } from '#core/formats/png-index';
import { fillPolygons } from '#core/formats/polygons';
import { decompressCounts, maskOfCounts } from '#core/formats/rle';
import { keys } from '#core/job/keys';
import { labelImage, openPublished } from '#pipeline/labeller';
import type { Ports } from '#pipeline/ports';
import { boastingPng } from '../../contracts/plain-png.ts';
import { type ApiWorld, apiWorld, asked, closesApi, png, post, problemOf } from './api-world.ts';
import { bytesOf, type Document, file, idsOf } from './segment-answers.ts';
import { painting, publishSmall } from './small-model.ts';

closesApi();

/** Every class painted into one map. */
function paintedBy(document: Document, mask: (segment: Document['segments'][number]) => Uint8Array): Uint16Array {
  const ids = new Uint16Array(document.image.width * document.image.height);
  for (const segment of document.segments) {
    mask(segment).forEach((inside, i) => {
      if (inside) ids[i] = segment.classId;
    });
  }
  return ids;
}

describe('a segmentation', () => {
  let world: ApiWorld;
  const segment = (path: string, body: Uint8Array | object, headers = {}) =>
    asked(world, 'segment', post(path, body, headers));
  const document = async (path: string, body: Uint8Array | object) =>
    (await (await segment(path, body)).json()) as Document;
  const mask = async (path: string, body: Uint8Array | object) =>
    idsOf(await bytesOf(await segment(path, body, { accept: 'image/png' })));

  beforeAll(async () => {
    world = apiWorld();
    await publishSmall(world.store);
  });

  it('finds what was painted', async () => {
    const { ids, width, height, kind } = await mask('/v1/segment', file);
    expect([width, height, kind]).toEqual([160, 96, 'index8']);
    const at = (x: number, y: number) => ids[(y * 16 + 8) * width + x * 16 + 8];
    expect([at(1, 1), at(8, 1), at(8, 4), at(0, 0), at(2, 2)]).toEqual([1, 2, 3, 0, 0]);
  });

  it('says how long each part took', async () => {
    let time = 0;
    const ticking = apiWorld({}, { clock: { now: () => time++ } });
    await publishSmall(ticking.store);
    const answer = await asked(ticking, 'segment', post('/v1/segment', file));
    expect(await answer.json()).toMatchObject({ timings: { wait: 1, decode: 1, label: 1 } });
  });

  it('answers the bytes that predict writes', async () => {
    const [models, images] = [new OnnxRuntime(), new SharpCodec(1)];
    const ports = { store: world.store, models, images, tuning: { threads: 1 } } as unknown as Ports;
    const labeller = await openPublished(ports, keys.model('small', 'v1', ''));
    const { image } = await images.decode(file);
    const { map } = await labelImage(ports, labeller, image);
    const written = await encodeIndexPng(map, {
      highest: labeller.clusters,
      deflate: (bytes, runs) => images.deflate(bytes, runs),
    });
    await models.close();
    expect(await bytesOf(await segment('/v1/segment', file, { accept: 'image/png' }))).toEqual(written);
  });

  it('tells the same in every shape', async () => {
    const { ids, width, height } = await mask('/v1/segment', file);
    const answer = await document('/v1/segment?outputs=rle,polygons,mask', file);
    expect((await idsOf(Buffer.from(answer.mask!, 'base64'))).ids).toEqual(ids);
    expect(paintedBy(answer, ({ rle }) => maskOfCounts(decompressCounts(rle!.counts), width, height))).toEqual(ids);
    const rings = ({ polygon }: Document['segments'][number]) =>
      [polygon!.outer, ...polygon!.holes].map(ring => Int32Array.from(ring));
    expect(paintedBy(answer, item => fillPolygons(rings(item), width, height))).toEqual(ids);
    expect(answer.segments.some(({ polygon }) => polygon!.holes.length === 1)).toBe(true);
    const geo = (await (await segment('/v1/segment', file, { accept: 'application/geo+json' })).json()) as GeoJson;
    expect(paintedByGeoJson(geo, width, height)).toEqual(ids);
  });

  it('counts pixels, shares, boxes and areas', async () => {
    const { ids, width } = await mask('/v1/segment', file);
    const answer = await document('/v1/segment', file);
    const pixels = (id: number) => ids.filter(one => one === id).length;
    for (const item of answer.classes) {
      expect(item.pixels).toBe(pixels(item.id));
      expect(item.share).toBeCloseTo(item.pixels / ids.length, 12);
      expect(item.segments).toBe(answer.segments.filter(({ classId }) => classId === item.id).length);
    }
    expect(answer.background).toEqual({ pixels: pixels(0), share: pixels(0) / ids.length });
    for (const {
      area,
      box: [left, top, boxWidth, boxHeight],
      classId,
    } of answer.segments) {
      const inside = ids.filter(
        (id, i) =>
          id === classId &&
          i % width >= left &&
          i % width < left + boxWidth &&
          i >= top * width &&
          i < (top + boxHeight) * width,
      );
      expect(inside.length).toBeGreaterThanOrEqual(area);
    }
    expect(answer.segments.map(({ area }) => area)).toEqual(
      answer.segments.map(({ area }) => area).sort((a, b) => b - a),
    );
  });

  it('takes JSON as it takes bytes', async () => {
    await world.store.put('photos/a.png', file);
    const base64 = Buffer.from(file).toString('base64');
    const plain = await document('/v1/segment?name=a', file);
    for (const image of [
      { base64 },
      { base64: `data:image/png;base64,${base64}` },
      { s3Uri: 's3://own/photos/a.png' },
    ]) {
      expect({ ...(await document('/v1/segment', { image, name: 'a' })), id: plain.id }).toEqual(plain);
    }
  });

  it('follows the parameters', async () => {
    const only = await document('/v1/segment?classes=2,3&outputs=', file);
    expect(only.classes.map(({ id }) => id)).toEqual([2, 3]);
    expect(only.segments[0]).not.toHaveProperty('rle');
    const none = await document('/v1/segment', {
      image: { base64: Buffer.from(file).toString('base64') },
      params: { threshold: 2 },
    });
    expect([none.classes, none.segments, none.confidence]).toEqual([[], [], 0]);
    const small = await document('/v1/segment?size=80', file);
    expect(small.image).toEqual({
      name: 'image.jpg',
      width: 80,
      height: 48,
      original: { width: 160, height: 96 },
      notes: [],
    });
  });

  it('is a file of other tools', async () => {
    const coco = (await (await segment('/v1/segment?format=coco&name=a/b.png', file)).json()) as {
      images: { file_name: string }[];
      annotations: { category_id: number }[];
    };
    expect(coco.images[0]!.file_name).toBe('a/b.png');
    expect(coco.annotations.map(one => one.category_id)).toEqual([1, 2, 3]);
    const cvat = await segment('/v1/segment?format=cvat', file);
    expect(cvat.headers.get('content-type')).toBe('application/xml');
    expect(await cvat.text()).toContain('<mask label="class 2"');
    const tasks = (await (await segment('/v1/segment?format=label-studio', file)).json()) as object[];
    expect(tasks).toHaveLength(1);
    expect((await segment('/v1/segment?format=coco', file, { accept: 'image/png' })).status).toBe(406);
  });

  it('has a segment list that ends', async () => {
    const rows = Array.from({ length: 48 }, (_, y) =>
      Array.from({ length: 48 }, (_, x) => ((x + y) % 2 ? 'rgb'[(x * 7 + y) % 3]! : '.')).join(''),
    );
    const speckled = png(painting(rows, 4));
    const answer = await document('/v1/segment?threshold=0.01&outputs=polygons', speckled);
    expect(answer.segments.length).toBeLessThanOrEqual(mostSegments);
    const total = answer.classes.reduce((sum, { segments }) => sum + segments, 0);
    if (total > mostSegments) expect(answer.warnings[0]).toContain(String(total));
    expect(total).toBeGreaterThan(100);
  });

  it.each([
    ['no picture', new TextEncoder().encode('%PDF-1.7 hello'), 422, /PDF/],
    ['nothing', new Uint8Array(0), 422, /empty/],
    ['60,000 × 60,000', boastingPng(60_000, 60_000), 422, /too large/],
    ['a script that begins like a GIF', new TextEncoder().encode('GIF89a/*<script>alert(1)</script>*/'), 422, /GIF/],
  ])('refuses %s', async (_, body, status, words) => {
    const response = await segment('/v1/segment', body);
    expect(response.status).toBe(status);
    expect((await problemOf(response)).detail).toMatch(words);
  });

  it.each([
    ['?threshold=NaN', 400],
    ['?threshold=1e999', 400],
    ['?size=-1', 400],
    ['?size=10&size=20', 400],
    ['?outputs=everything', 400],
    ['?treshold=0.4', 400],
    ['?classes=1.5', 400],
    ['?classes=77', 422],
    ['?model=nobody', 404],
    ['?model=../../etc', 400],
    ['?format=voc', 400],
  ])('answers %s with %i', async (query, status) => {
    expect((await segment(`/v1/segment${query}`, file)).status).toBe(status);
  });

  it.each([
    [{ image: {} }, 400],
    [{ image: { base64: 'AAAA', url: 'http://x' } }, 400],
    [{ image: { base64: '§§§' } }, 400],
    [{ image: { base64: '' } }, 422],
    [{ image: { s3Uri: 's3://foreign/a.png' } }, 403],
    [{ image: { s3Uri: 's3://own/../a.png' } }, 422],
    [{ image: { s3Uri: 's3://own/gone.png' } }, 422],
    [{ image: { url: 'http://169.254.169.254/latest/meta-data' } }, 403],
    [{ image: { base64: 'AAAA' }, params: { threshold: 'NaN' } }, 400],
    [{ image: { base64: 'AAAA' }, __proto__: { admin: true }, constructor: 1 }, 400],
  ])('answers %j with %i', async (body, status) => {
    expect((await segment('/v1/segment', body)).status).toBe(status);
  });

  it.each([
    [{ image: {} }, '/image must have exactly one of s3Uri, url, base64'],
    [{ image: { base64: 'AAAA', url: 'http://x' } }, '/image must have exactly one of '],
    [{ image: { url: `http://${'x'.repeat(5000)}` } }, '/image/url must NOT have more than 4096 characters'],
  ])('says of %j what is wrong with the image', async (body, words) => {
    expect((await problemOf(await segment('/v1/segment', body))).detail).toContain(words);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'image/svg+xml', 'multipart/form-data; boundary=x'])(
    'takes no %s',
    async type => {
      expect((await segment('/v1/segment', file, { 'content-type': type })).status).toBe(415);
    },
  );

  it('negotiates', async () => {
    const typeOf = async (accept: string) =>
      (await segment('/v1/segment', file, { accept })).headers.get('content-type');
    expect(await typeOf('*/*')).toBe('application/json');
    expect(await typeOf('image/*')).toBe('image/png');
    expect(await typeOf('text/html, application/json;q=0.5, image/png;q=0.9')).toBe('image/png');
    expect(await typeOf('application/json;q=0, */*')).toBe('image/png');
    expect(await typeOf('text/html')).toBe('application/problem+json');
  });

  it('carries the request id through', async () => {
    const response = await segment('/v1/segment', file, { 'x-request-id': 'mine-1' });
    expect(response.headers.get('x-request-id')).toBe('mine-1');
    expect(((await response.json()) as Document).id).toBe('mine-1');
    const forged = await segment('/v1/segment', file, { 'x-request-id': 'two words' });
    expect(forged.headers.get('x-request-id')).toMatch(/^id-/);
  });

  it('segments a batch, one result or problem each', async () => {
    const good = { base64: Buffer.from(file).toString('base64') };
    const images = [
      { image: good, name: 'one' },
      { image: { base64: 'AAAA' } },
      { image: { s3Uri: 's3://foreign/x' } },
      { image: good },
    ];
    const response = await asked(world, 'segmentBatch', post('/v1/segment/batch', { images, params: { outputs: [] } }));
    const { results } = (await response.json()) as {
      results: { segmentation?: Document; problem?: { status: number } }[];
    };
    expect(results.map(({ segmentation, problem }) => segmentation?.image.name ?? problem!.status)).toEqual([
      'one',
      422,
      403,
      'image.jpg',
    ]);
    const many = Array.from({ length: 17 }, () => ({ image: good }));
    expect((await asked(world, 'segmentBatch', post('/v1/segment/batch', { images: many }))).status).toBe(400);
  });
});

interface GeoJson {
  readonly features: readonly { properties: { classId: number }; geometry: { coordinates: [number, number][][] } }[];
}

function paintedByGeoJson({ features }: GeoJson, width: number, height: number): Uint16Array {
  const ids = new Uint16Array(width * height);
  for (const { properties, geometry } of features) {
    const rings = geometry.coordinates.map(ring => Int32Array.from(ring.slice(0, -1).flat()));
    for (const ring of geometry.coordinates) expect(ring.at(-1)).toEqual(ring[0]);
    fillPolygons(rings, width, height).forEach((inside, i) => {
      if (inside) ids[i] = properties.classId;
    });
  }
  return ids;
}
