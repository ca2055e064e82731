import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { ZipArchive } from '#adapters/zip/zip-archive';
import type { Leaderboard } from '#core/benchmark/leaderboard';
import { submitterOf } from '#core/benchmark/submission';
import { keys } from '#core/job/keys';
import { leaderboardPage } from '#core/pages/leaderboard';
import { leaderboardScript, leaderboardScriptSha256 } from '#core/pages/leaderboard-script';
import { readBoard, type ScoringPorts, scoreSubmission, scoreUpload } from '#pipeline/score-submission';
import { boastingPng } from '../contracts/plain-png.ts';
import { inflate } from '../core/formats/zlib-port.ts';
import { rgb, row } from '../pipeline/id-pngs.ts';
import { type RawEntry, rawZip } from './hostile-zips.ts';

const labels = [
  'Method name',
  'Training data',
  'Training scheme',
  'Networks',
  'Paper/Project link',
  'Method description',
];
const text = (content: string) => new TextEncoder().encode(content);
const method = { name: 'method.txt', bytes: text(labels.map(label => `${label}: <x>`).join('\n')) };
const matching = { name: 'match.json', bytes: text('{"0": 0, "5": 1, "6": 2}') };
const map = { name: 'n1/a.png', bytes: rgb(row(0, 5, 6, 6)) };
const good = [method, matching, map];

async function service() {
  const [store, truth] = [new MemoryStore(), new MemoryStore()];
  await truth.put('50/masks/n1/a.png', rgb(row(0, 1, 2, 1000)));
  await truth.put('50/categories.txt', text('1\tcat\n2\tdog\n'));
  const clock = { time: Date.UTC(2026, 0, 1) };
  const ports: ScoringPorts = {
    store,
    truth,
    openZip: (bytes, name) => ZipArchive.open(Buffer.from(bytes), name),
    images: { inflate },
    digest: nodeDigest,
    clock: { now: () => clock.time },
    log: { progress: () => undefined, note: () => undefined },
    threads: 1,
  };
  const send = (entries: RawEntry[] | Buffer, file = 'team-1.zip', protocol = 'unsupervised-50') => {
    const bytes = Buffer.isBuffer(entries) ? entries : rawZip(entries);
    return scoreSubmission(ports, { protocol, file, bytes, masks: '50/masks/' });
  };
  return { ports, store, clock, send };
}

describe('a submission', () => {
  it('is scored by its own matching and noted', async () => {
    const { ports, send } = await service();
    const verdict = await send(good);
    expect(verdict).toMatchObject({ state: 'scored', entry: { submitter: 'team', method: { name: '<x>' } } });
    expect(verdict.entry!.scores!.miou).toBeCloseTo(1, 9);
    const { board } = await readBoard(ports, 'unsupervised-50');
    expect(board.entries).toEqual([JSON.parse(JSON.stringify(verdict.entry))]);
  });

  it.each<[string, RawEntry[] | Buffer, RegExp]>([
    ['no zip', Buffer.from('hello'), /no zip that can be read/],
    ['no method.txt', [matching, map], /method\.txt is missing/],
    ['all in one folder', good.map(({ name, bytes }) => ({ name: `x/${name}`, bytes })), /lies at x\/method\.txt/],
    ['method.txt of another form', [{ ...method, bytes: text('x') }, matching, map], /line 1 does not begin with/],
    ['no match.json', [method, map], /match\.json is missing/],
    ['match.json that is none', [method, { ...matching, bytes: text('[') }, map], /match\.json is not JSON/],
    ['a missing image', [method, matching, { ...map, name: 'n1/b.png' }], /1 of 1 label maps are missing: n1\/a\.png/],
    ['an image too many', [...good, { ...map, name: 'n1/b.png' }], /1 label maps are of no image/],
    ['a wrong size', [method, matching, { ...map, bytes: rgb(row(0, 5)) }], /is 4×1, but its label map is 2×1/],
    [
      'a picture that claims to be huge',
      [method, matching, { ...map, bytes: boastingPng(60_000, 60_000) }],
      /60000×60000/,
    ],
    ['a damaged map', [method, matching, { ...map, bytes: map.bytes.subarray(0, 40) }], /damaged|cut off/],
    ['a path upwards', [...good, { name: '../x.png', bytes: map.bytes }], /invalid relative path/],
    ['a link', [...good, { name: 'y.png', bytes: map.bytes, mode: 0o120777 }], /link/],
    ['encryption', [{ ...method, flags: 1 }, matching, map], /encrypted/],
    ['a bomb', [...good, { name: 'z.png', bytes: map.bytes, claimed: 4e9 }], /unpacks to too much/],
  ])('with %s is refused with the reason, and noted', async (_, entries, reason) => {
    const { ports, send } = await service();
    const verdict = await send(entries);
    expect(verdict).toMatchObject({ state: 'refused', reason: expect.stringMatching(reason) });
    expect((await readBoard(ports, 'unsupervised-50')).board.entries).toHaveLength(1);
  });

  it.each<[string, RawEntry[], string, RegExp]>([
    [
      'an id above the classes',
      [method, { ...map, bytes: rgb(row(0, 900, 2, 2)) }],
      'free-50',
      /n1\/a\.png holds id 900/,
    ],
    [
      'the id of what is ignored',
      [method, { ...map, bytes: rgb(row(0, 1, 1000, 1000)) }],
      'semi-supervised-50',
      /a\.png holds id 1000/,
    ],
    [
      'a cluster that match.json does not know',
      [method, matching, { ...map, bytes: rgb(row(0, 5, 7, 6)) }],
      'unsupervised-50',
      /a\.png holds id 7/,
    ],
    [
      'a match.json of another set',
      [method, { ...matching, bytes: text('{"5": 1, "6": 3}') }, map],
      'unsupervised-50',
      /match\.json matches 6 to class 3, above the highest class 2/,
    ],
  ])('with %s is refused', async (_, entries, protocol, reason) => {
    const { send } = await service();
    expect(await send(entries, 'team-1.zip', protocol)).toMatchObject({
      state: 'refused',
      reason: expect.stringMatching(reason),
    });
  });

  it('may have clusters that stand for no class, where match.json says so', async () => {
    const { send } = await service();
    const said = { ...matching, bytes: text('{"5": 1, "6": 2, "7": null}') };
    const { entry } = await send([method, said, { ...map, bytes: rgb(row(0, 5, 6, 7)) }]);
    expect(entry!.scores!.perClass.map(({ iou }) => Math.round(iou))).toEqual([1, 1, 1]);
  });

  it('is measured by the classes of the masks where no list of them is at hand', async () => {
    const { ports, send } = await service();
    await (ports.truth as MemoryStore).delete('50/categories.txt');
    expect((await send([method, { ...map, bytes: rgb(row(0, 3, 2, 2)) }], 'a-1.zip', 'free-50')).reason).toContain(
      'holds id 3',
    );
    expect((await send([method, { ...map, bytes: rgb(row(0, 1, 2, 2)) }], 'a-2.zip', 'free-50')).state).toBe('scored');
  });

  it('repeated, too frequent, misnamed or for another protocol is turned away', async () => {
    const { ports, clock, send } = await service();
    await send(good);
    expect(await send(good, 'other-1.zip')).toMatchObject({
      state: 'turned away',
      reason: expect.stringContaining('same file'),
    });
    for (let i = 0; i < 4; i++)
      expect((await send([method], `team-${i}.zip`)).state).toBe(i === 0 ? 'refused' : 'turned away');
    for (let i = 0; i < 4; i++) await send([{ ...method, bytes: text(`bad ${i}`) }]);
    const late = [...good, { name: 'note.txt', bytes: text('late') }];
    expect(await send(late)).toMatchObject({
      state: 'turned away',
      reason: expect.stringContaining('2026-01-02T00:00:00.000Z'),
    });
    expect((await send(late, 'other-2.zip')).state).toBe('scored');
    clock.time += 25 * 3_600_000;
    expect((await send([...late, { name: 'b.txt', bytes: text('') }])).state).toBe('scored');
    expect((await send(good, 'nodash.zip')).reason).toContain('SUBMITTER-NAME.zip');
    expect((await send(good, 'team-9.zip', 'best-50')).reason).toContain('no protocol best-50');
    expect((await readBoard(ports, 'unsupervised-50')).board.entries).toHaveLength(7);
    expect(() => submitterOf('../x-1.zip')).toThrow();
  });

  it('named by an upload event is scored', async () => {
    const { ports } = await service();
    const uploads = new MemoryStore();
    await uploads.put('submissions/unsupervised-50/team-1.zip', rawZip(good));
    const event = (key: string) => JSON.stringify({ Records: [{ s3: { object: { key } } }] });
    const [scored] = await scoreUpload(ports, uploads, event('submissions/unsupervised-50/team-1.zip'));
    expect(scored).toMatchObject({ state: 'scored' });
    const page = () => ports.store.getTagged(keys.leaderboardPage('unsupervised-50'));
    const shown = new TextDecoder().decode((await page())!.bytes);
    expect(shown).toContain('<td>team</td><td>2026-01-01</td>');
    expect(shown).not.toContain('<form');
    await ports.store.put(keys.leaderboardPage('unsupervised-50'), text('cut off'));
    const [again] = await scoreUpload(ports, uploads, event('submissions/unsupervised-50/team-1.zip'));
    expect(again).toMatchObject({ state: 'turned away' });
    expect(new TextDecoder().decode((await page())!.bytes)).toBe(shown);
    const [gone] = await scoreUpload(ports, uploads, event('submissions/unsupervised-50/team-2.zip'));
    expect(gone).toMatchObject({ state: 'turned away' });
    const [other] = await scoreUpload(ports, uploads, event('jobs/x/request.json'));
    expect(other).toMatchObject({ state: 'turned away' });
  });
});

describe('the page', () => {
  it('escapes what strangers wrote and runs its own script only', async () => {
    const { store, send } = await service();
    await send(good);
    const bytes = (await store.get(keys.leaderboard('unsupervised-50')))!;
    const page = leaderboardPage([JSON.parse(new TextDecoder().decode(bytes)) as Leaderboard], ['unsupervised-50']);
    expect(page).toContain('&lt;x&gt;');
    expect(page).not.toContain('<x>');
    const digest = createHash('sha256').update(leaderboardScript).digest('base64');
    expect(leaderboardScriptSha256).toBe(`sha256-${digest}`);
  });
});
