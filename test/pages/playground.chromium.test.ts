/** What the playground does in a real browser: images in, labels over them, files out. */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { emptyLabelMap } from '#core/labels/label-map';
import { colourOf } from '#core/labels/palette';
import { chromiumReason, hasChromium } from './chromium.ts';
import { dropFiles, overlayPixels, phone, playgroundReader, sceneName, scenePhoto } from './playground-reader.ts';
import { model, problem, segmentationOf } from './stand-in-service.ts';

/** RGBA of every pixel as the page should paint it. */
function painted(ids: Uint16Array, shown: (id: number) => boolean = () => true): Buffer {
  const pixels = Buffer.alloc(4 * ids.length);
  ids.forEach((id, at) => {
    if (id > 0 && shown(id)) pixels.set([...colourOf(id), 255], 4 * at);
  });
  return pixels;
}

/** How many pixels of the overlay differ from what should be painted. */
async function wrongPixels(page: Page, expected: Buffer): Promise<number> {
  const seen = await overlayPixels(page);
  expect(seen.length).toBe(expected.length);
  let wrong = 0;
  for (let at = 0; at < seen.length; at += 4) if (seen.readUInt32LE(at) !== expected.readUInt32LE(at)) wrong++;
  return wrong;
}

describe.skipIf(!hasChromium)(`playground in Chromium${chromiumReason}`, () => {
  const { open, openLabelled, labelled, service, expectOnConsole } = playgroundReader();

  test('an image dropped on the page goes out as it is and comes back labelled, pixel by pixel', async () => {
    const { file, map } = await scenePhoto(5);
    const result = await segmentationOf(map, sceneName);
    const page = await open(set => {
      set.segment = () => ({ body: result });
    });
    await dropFiles(page, [file]);
    await labelled(page);
    expect(await wrongPixels(page, painted(map.data))).toBe(0);
    const [asked] = service().asked.filter(({ url }) => url.pathname === '/v1/segment');
    expect(asked!.bytes.equals(file.buffer)).toBe(true);
    expect(asked!.headers['content-type']).toBe('image/jpeg');
    expect(await page.locator('#file-name').textContent()).toBe('scene-5.jpg');
    expect(await page.locator('#summary').textContent()).toBe('2 classes in this picture');
    await page.locator('.opacity').fill('30');
    expect(await page.evaluate("getComputedStyle(document.getElementById('overlay')).opacity")).toBe('0.3');
  });

  test('more than 255 classes: the mask has 16 bits, the legend finds them by name and number', async () => {
    const map = emptyLabelMap(64, 48);
    for (let at = 0; at < map.data.length; at++) map.data[at] = Math.floor(at / 9) % 301;
    const page = await open(set => {
      set.segment = async () => ({ body: await segmentationOf(map, undefined, 300) });
    });
    const { file } = await scenePhoto(1, 64, 48);
    await page.locator('#file').setInputFiles(file);
    await labelled(page);
    expect(await wrongPixels(page, painted(map.data))).toBe(0);
    expect(await page.locator('#legend li').count()).toBe(300);
    await page.getByRole('searchbox', { name: 'Find a class' }).fill('class 29');
    expect(await page.locator('#legend li:visible').count()).toBe(11);
    await page.getByRole('searchbox', { name: 'Find a class' }).fill('#300');
    expect(await page.locator('#legend li:visible .name').allTextContents()).toEqual(['class 300']);
  });

  test('the legend tells shares and confidence, and switches classes off and on', async () => {
    const { page, map, result } = await openLabelled(5);
    const [largest, other] = [...result.classes].sort((a, b) => b.share - a.share);
    const row = page.locator('#legend li').first();
    expect(await row.locator('.share').textContent()).toBe(`${(largest!.share * 100).toFixed(1)}%`);
    expect(await row.locator('small').textContent()).toContain(`confidence ${largest!.confidence.toFixed(2)}`);
    await page.getByRole('checkbox', { name: sceneName(largest!.id) }).uncheck();
    await page.mouse.move(0, 0);
    await page.locator('.opacity').focus();
    expect(
      await wrongPixels(
        page,
        painted(map.data, id => id !== largest!.id),
      ),
    ).toBe(0);
    await page.getByRole('button', { name: 'Hide all' }).click();
    expect(
      await wrongPixels(
        page,
        painted(map.data, () => false),
      ),
    ).toBe(0);
    await page.getByRole('checkbox', { name: sceneName(other!.id) }).check();
    await page.mouse.move(0, 0);
    await page.locator('.opacity').focus();
    expect(
      await wrongPixels(
        page,
        painted(map.data, id => id === other!.id),
      ),
    ).toBe(0);
    await page.getByRole('button', { name: 'Show all' }).click();
    expect(await wrongPixels(page, painted(map.data))).toBe(0);
  });

  test('pointing tells class and confidence of the region below', async () => {
    const { page, map, result } = await openLabelled(5);
    const stage = (await page.locator('#stage').boundingBox())!;
    const pointAt = (pixel: number) =>
      page.mouse.move(
        stage.x + (((pixel % map.width) + 0.5) / map.width) * stage.width,
        stage.y + ((Math.floor(pixel / map.width) + 0.5) / map.height) * stage.height,
      );
    for (const { id, confidence } of result.classes) {
      await pointAt(map.data.indexOf(id));
      expect(await page.locator('#tip').textContent()).toContain(`${sceneName(id)}confidence ${confidence.toFixed(2)}`);
      expect(await page.locator('#legend .at .name').textContent()).toBe(sceneName(id));
    }
    await pointAt(map.data.indexOf(0));
    expect(await page.locator('#tip').textContent()).toBe('background');
    expect(await page.locator('#readout').textContent()).toBe('background');
    await page.mouse.move(0, 0);
    expect(await page.locator('#tip').isVisible()).toBe(false);
  });

  test('a finger on a phone does the same', async () => {
    const { page, map, result } = await openLabelled(7, { ...phone, hasTouch: true, isMobile: true });
    const stage = (await page.locator('#stage').boundingBox())!;
    const id = result.classes[0]!.id;
    const pixel = map.data.indexOf(id);
    await page.touchscreen.tap(
      stage.x + (((pixel % map.width) + 0.5) / map.width) * stage.width,
      stage.y + ((Math.floor(pixel / map.width) + 0.5) / map.height) * stage.height,
    );
    expect(await page.locator('#readout').textContent()).toContain(sceneName(id));
    expect(await page.locator('label[for=camera]').isVisible()).toBe(true);
    expect(await page.locator('#camera').getAttribute('capture')).toBe('environment');
  });

  test('downloads: the mask as it came, the result without it, the picture', async () => {
    const { page, result } = await openLabelled(5);
    const saved = async (name: string) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
      return [download.suggestedFilename(), await readFile((await download.path())!)] as const;
    };
    const [pngName, png] = await saved('Label map');
    expect([pngName, png.toString('base64')]).toEqual(['scene-5-labels.png', result.mask]);
    const [jsonName, json] = await saved('Result');
    const { mask: _, ...facts } = result;
    expect([jsonName, JSON.parse(json.toString())]).toEqual(['scene-5-labels.json', facts]);
    const [pictureName, picture] = await saved('Picture');
    expect([pictureName, picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([
      'scene-5-overlay.png',
      320,
      240,
    ]);
  });

  test('an image that the browser cannot show is labelled all the same', async () => {
    const { map } = await scenePhoto(3);
    const page = await open(set => {
      set.segment = async () => ({ body: await segmentationOf(map) });
    });
    await page
      .locator('#file')
      .setInputFiles({ name: 'scan.tiff', mimeType: 'image/tiff', buffer: Buffer.from('II*') });
    await labelled(page);
    await page.locator('#notes', { hasText: 'This browser cannot show the image itself' }).waitFor();
    expect(await wrongPixels(page, painted(map.data))).toBe(0);
    expect(await page.getByRole('button', { name: 'Picture' }).isVisible()).toBe(false);
    expect(service().asked.at(-1)!.headers['content-type']).toBe('image/tiff');
  });

  test('an image from the clipboard', async () => {
    const { file, map } = await scenePhoto(3);
    const page = await open(set => {
      set.segment = async () => ({ body: await segmentationOf(map) });
    });
    await page.evaluate(`(() => {
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([Uint8Array.from(atob('${file.buffer.toString('base64')}'), char => char.charCodeAt(0))], 'image.png', { type: 'image/png' }));
      dispatchEvent(new ClipboardEvent('paste', { clipboardData }));
    })()`);
    await labelled(page);
    expect(await wrongPixels(page, painted(map.data))).toBe(0);
  });

  test('several models: one is chosen, and asked for; a threshold where the model has one', async () => {
    const { file, map } = await scenePhoto(3);
    const page = await open(set => {
      set.models = { body: { models: [model('scenes'), model('streets', { decision: 'threshold', classes: 50 })] } };
      set.segment = async () => ({ body: await segmentationOf(map) });
    });
    await page.locator('#file').setInputFiles(file);
    await labelled(page);
    await page.getByLabel('Model').selectOption('streets');
    await expect.poll(() => page.getByLabel('Foreground threshold').getAttribute('placeholder')).toBe('-0.250');
    await labelled(page);
    await page.getByLabel('Foreground threshold').fill('0.125');
    await page.getByLabel('Foreground threshold').blur();
    const queries = () => service().asked.flatMap(({ url }) => (url.pathname === '/v1/segment' ? [url.search] : []));
    await expect
      .poll(queries)
      .toEqual([
        '?outputs=rle%2Cmask&name=scene-3.jpg&model=scenes',
        '?outputs=rle%2Cmask&name=scene-3.jpg&model=streets',
        '?outputs=rle%2Cmask&name=scene-3.jpg&model=streets&threshold=0.125',
      ]);
    await labelled(page);
    expect(await page.locator('#curl').textContent()).toContain('/v1/segment?model=streets&threshold=0.125');
  });

  test('what the service refuses is said in its own words, and the next image works', async () => {
    expectOnConsole(/status of 422/);
    const { file, map } = await scenePhoto(5);
    const page = await open(set => {
      set.segment = () =>
        problem(422, 'Not a readable image', {
          detail: 'The file ends too early.',
          errors: [{ path: '/image', message: 'is cut off' }],
        });
    });
    await page.locator('#file').setInputFiles(file);
    const alert = page.getByRole('alert');
    await alert.getByRole('heading', { name: 'Not a readable image' }).waitFor();
    expect(await alert.textContent()).toContain('The file ends too early.');
    expect(await alert.textContent()).toContain('/image: is cut off');
    expect(await alert.locator('code').textContent()).toBe('request-7');
    expect(await page.locator('#busy').isVisible()).toBe(false);
    service().segment = async () => ({ body: await segmentationOf(map) });
    await alert.getByRole('button', { name: 'Try again' }).click();
    await labelled(page);
    expect(await alert.isVisible()).toBe(false);
  });

  test.each([
    ['a proxy’s own page', { status: 502, body: '<h1>Bad Gateway</h1>' }, /The service answered 502/],
    ['no label map in the answer', { body: '{"mask":"AAAA"}' }, /The label map is no PNG file/],
    ['a wait', { ...problem(429, 'Too much at once'), headers: { 'retry-after': '7' } }, /asks to wait 7 seconds/],
    ['the result elsewhere', { status: 303, body: '', headers: { location: '/far' } }, /too large for this page/],
  ])('an answer of another kind: %s', async (_, answer, words) => {
    expectOnConsole(/status of (502|429)/);
    const { file } = await scenePhoto(5, 32, 32);
    const page = await open(set => {
      set.segment = () => answer;
    });
    await page.locator('#file').setInputFiles(file);
    await page.getByRole('alert').getByRole('heading').waitFor();
    expect(await page.getByRole('alert').textContent()).toMatch(words);
  });

  test.each([
    [413, 'Too large'],
    [422, 'Too many pixels: ask for a smaller “size”'],
  ])('too large an image (%i): a smaller copy is offered and sent', async (status, title) => {
    expectOnConsole(/status of 4/);
    const { file, map } = await scenePhoto(2, 2600, 100);
    const page = await open(set => {
      set.segment = ({ bytes }) => {
        if (bytes.equals(file.buffer)) return problem(status, title);
        return segmentationOf(map).then(body => ({ body }));
      };
    });
    await page.locator('#file').setInputFiles(file);
    await page.getByRole('button', { name: 'Send a smaller copy' }).click();
    await labelled(page);
    const sent = service().asked.at(-1)!.bytes;
    expect(sent.subarray(0, 2).toString('hex')).toBe('ffd8');
    expect(sent.equals(file.buffer)).toBe(false);
  });

  test('a service that is gone, one without a model, one that wants a token', async () => {
    expectOnConsole(/ERR_FAILED|status of 401/);
    const page = await open(set => {
      set.models = { body: { models: [] } };
    });
    const alert = page.getByRole('alert');
    await alert.getByRole('heading', { name: 'No model is published yet' }).waitFor();
    await page.route('**/v1/models', route => route.abort());
    await alert.getByRole('button', { name: 'Try again' }).click();
    await alert.getByRole('heading', { name: 'The service cannot be reached' }).waitFor();
    await page.unroute('**/v1/models');
    service().models = problem(401, 'No token');
    await alert.getByRole('button', { name: 'Try again' }).click();
    await alert.getByLabel('Access token').fill('secret');
    service().models = { body: { models: [model('scenes')] } };
    await page.keyboard.press('Enter');
    await page.locator('#model-facts', { hasText: 'scenes · 12 classes' }).waitFor();
    expect(service().asked.at(-1)!.headers.authorization).toBe('Bearer secret');
  });

  test('while the service works the page says so; it can be cancelled, and a newer image wins', async () => {
    const { file, map } = await scenePhoto(5);
    const { file: next } = await scenePhoto(6);
    const page = await open(set => {
      set.segment = ({ bytes }) =>
        bytes.equals(file.buffer) ? new Promise(() => {}) : segmentationOf(map).then(body => ({ body }));
    });
    await page.locator('#file').setInputFiles(file);
    await page.getByText('Segmenting…').waitFor();
    expect(await page.locator('#stage').getAttribute('aria-busy')).toBe('true');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('main[data-state=failed]').waitFor();
    expect(await page.getByRole('alert').isVisible()).toBe(false);
    await page.locator('#file').setInputFiles(file);
    await page.locator('main[data-state=busy]').waitFor();
    await page.locator('#file').setInputFiles(next);
    await labelled(page);
    expect(await page.locator('#file-name').textContent()).toBe('scene-6.jpg');
  });
});
