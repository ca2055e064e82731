import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FolderStore } from '#adapters/local/folder-store';
import { PermanentError, RejectedInput } from '#core/errors';
import { keysUnder, listed } from '../contracts/object-store.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';
import { asOrdinaryUser } from './ordinary-user.ts';

const prefix = 'datasets/x/images/';
const textOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

/** A folder with these files (text by relative path), mounted into an empty store beside it. */
async function mounted(files: Readonly<Record<string, string>>) {
  const base = scratchFolder();
  const photos = `${base}/photos`;
  mkdirSync(photos);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(`${photos}/${name}`.replace(/\/[^/]*$/, ''), { recursive: true });
    writeFileSync(`${photos}/${name}`, text);
  }
  const out = `${base}/out`;
  const open = () => FolderStore.open(out, { mounts: [{ prefix, folder: photos }] });
  return { base, photos, out, open, store: await open() };
}

const relative = async (store: FolderStore) => (await keysUnder(store, prefix)).map(key => key.slice(prefix.length));

async function rejection(store: FolderStore, name: string): Promise<string> {
  const failure = await store.get(prefix + name).catch((error: unknown) => error);
  expect(failure, name).toBeInstanceOf(RejectedInput);
  return (failure as Error).message;
}

describe('a mounted folder', () => {
  it('appears under its prefix among the store’s own objects, in key order', async () => {
    const { store } = await mounted({ 'b/1.jpg': 'one', 'a.jpg': 'two', 'a/2.jpg': 'three' });
    await store.put('datasets/w', Buffer.from('x'));
    await store.put('datasets/x/classes', Buffer.from('x'));
    await store.put('datasets/x/masks/1.png', Buffer.from('x'));
    await store.put('jobs/1', Buffer.from('x'));
    expect(await keysUnder(store, '')).toEqual([
      'datasets/w',
      'datasets/x/classes',
      `${prefix}a.jpg`,
      `${prefix}a/2.jpg`,
      `${prefix}b/1.jpg`,
      'datasets/x/masks/1.png',
      'jobs/1',
    ]);
    expect(await keysUnder(store, `${prefix}a/`)).toEqual([`${prefix}a/2.jpg`]);
    expect(await keysUnder(store, 'datasets/x/im')).toHaveLength(3);
    expect(textOf(await store.get(`${prefix}b/1.jpg`))).toBe('one');
    const [first] = await listed(store, prefix);
    expect(first).toEqual({ key: `${prefix}a.jpg`, size: 3, etag: expect.any(String) });
    expect(await store.head(first!.key)).toEqual(first);
    expect((await store.getTagged(first!.key))?.etag).toBe(first?.etag);
  });

  it('is never written', async () => {
    const { store } = await mounted({ 'a.jpg': 'one' });
    const bytes = Buffer.from('x');
    for (const write of [
      () => store.put(`${prefix}a.jpg`, bytes),
      () => store.putNew(`${prefix}new.jpg`, bytes),
      () => store.swap(`${prefix}a.jpg`, bytes, undefined),
      () => store.delete(`${prefix}a.jpg`),
    ]) {
      await expect(write()).rejects.toThrow(PermanentError);
    }
    expect(await relative(store)).toEqual(['a.jpg']);
  });

  it('notices that a photo was replaced', async () => {
    const { store, photos } = await mounted({ 'a.jpg': 'one' });
    const before = await store.head(`${prefix}a.jpg`);
    writeFileSync(`${photos}/b.jpg`, 'two');
    renameSync(`${photos}/b.jpg`, `${photos}/a.jpg`);
    expect((await store.head(`${prefix}a.jpg`))?.etag).not.toBe(before?.etag);
  });

  it('shows names of every kind', async () => {
    const names = [
      'a b.jpg',
      'ä/ö #1.jpg',
      '100%25.jpg',
      'plus+.jpg',
      'back\\slash.jpg',
      'new\nline.jpg',
      '😀.jpg',
      'x\\xe9.jpg',
    ];
    const { store } = await mounted(Object.fromEntries(names.map(name => [name, name])));
    expect((await relative(store)).sort()).toEqual([...names].sort());
    for (const name of names) expect(textOf(await store.get(prefix + name))).toBe(name);
  });

  it('shows and reads names that are no UTF-8', async () => {
    const { store, photos } = await mounted({});
    mkdirSync(Buffer.from(`${photos}/été`, 'latin1'));
    writeFileSync(Buffer.from(`${photos}/été/café.jpg`, 'latin1'), 'old disk');
    writeFileSync(Buffer.from(`${photos}/\xe9.jpg`, 'latin1'), 'top');
    expect(await relative(store)).toEqual(['\\xe9.jpg', '\\xe9t\\xe9/caf\\xe9.jpg']);
    expect(textOf(await store.get(`${prefix}\\xe9t\\xe9/caf\\xe9.jpg`))).toBe('old disk');
    expect(textOf(await store.get(`${prefix}\\xe9.jpg`))).toBe('top');
    expect(await store.get(`${prefix}\\xe8.jpg`)).toBeUndefined();
  });

  it('leaves hidden files and folders out', async () => {
    const { store } = await mounted({
      '.DS_Store': 'x',
      '.git/config': 'x',
      'a/.thumb.jpg': 'x',
      'a/b.jpg': 'x',
      '...': 'x',
    });
    expect(await relative(store)).toEqual(['a/b.jpg']);
    expect(await store.get(`${prefix}.DS_Store`)).toBeUndefined();
    expect(await store.get(`${prefix}.git/config`)).toBeUndefined();
    expect(await store.head(`${prefix}a/.thumb.jpg`)).toBeUndefined();
  });

  it('has no objects that are folders', async () => {
    const { store, photos } = await mounted({ 'a/b.jpg': 'x' });
    mkdirSync(`${photos}/empty`);
    expect(await relative(store)).toEqual(['a/b.jpg']);
    expect(await store.get(`${prefix}a`)).toBeUndefined();
    expect(await store.head(`${prefix}empty`)).toBeUndefined();
    expect(await store.get(`${prefix}a/b.jpg/c`)).toBeUndefined();
  });

  it('can be reached through a link itself', async () => {
    const { base, photos } = await mounted({ 'a.jpg': 'x' });
    symlinkSync(photos, `${base}/link`);
    const store = await FolderStore.open(`${base}/out`, { mounts: [{ prefix, folder: `${base}/link` }] });
    expect(await relative(store)).toEqual(['a.jpg']);
    expect(textOf(await store.get(`${prefix}a.jpg`))).toBe('x');
  });

  it('never shows the store’s own folder, should it lie inside', async () => {
    const { photos } = await mounted({ 'a.jpg': 'x' });
    const store = await FolderStore.open(`${photos}/labels`, { mounts: [{ prefix, folder: photos }] });
    await store.put('labels/a.png', Buffer.from('x'));
    const again = await FolderStore.open(`${photos}/labels`, { mounts: [{ prefix, folder: photos }] });
    expect(await relative(again)).toEqual(['a.jpg']);
    expect(await keysUnder(again, 'labels/')).toEqual(['labels/a.png']);
  });

  it('must exist, be a folder, differ from the store and from the others', async () => {
    const { base, photos } = await mounted({ 'a.jpg': 'x' });
    const open = (mounts: { prefix: string; folder: string }[], out = `${base}/out`) =>
      FolderStore.open(out, { mounts });
    await expect(open([{ prefix, folder: 'no/such/place' }])).rejects.toThrow(
      new PermanentError('there is no folder no/such/place'),
    );
    await expect(open([{ prefix, folder: `${photos}/a.jpg` }])).rejects.toThrow('is a file; a folder is needed');
    await expect(open([{ prefix, folder: photos }], photos)).rejects.toThrow('cannot be both read from and written to');
    await expect(
      open([
        { prefix: 'a/', folder: photos },
        { prefix: 'a/b/', folder: photos },
      ]),
    ).rejects.toThrow('two folders are mounted at a/');
    await expect(open([{ prefix: 'a', folder: photos }])).rejects.toThrow('must end with a slash');
  });
});

describe('links in a mounted folder', () => {
  it('to files inside are files', async () => {
    const { store, photos } = await mounted({ 'a/1.jpg': 'one' });
    symlinkSync('a/1.jpg', `${photos}/link.jpg`);
    linkSync(`${photos}/a/1.jpg`, `${photos}/hard.jpg`);
    expect(await relative(store)).toEqual(['a/1.jpg', 'hard.jpg', 'link.jpg']);
    expect(textOf(await store.get(`${prefix}link.jpg`))).toBe('one');
    expect((await store.head(`${prefix}link.jpg`))?.size).toBe(3);
  });

  it('that leave the folder are rejected inputs, and the rest is read', async () => {
    const { store, photos, base } = await mounted({ 'a.jpg': 'one' });
    writeFileSync(`${base}/secret.txt`, 'secret');
    mkdirSync(`${base}/photos-of-others`);
    writeFileSync(`${base}/photos-of-others/b.jpg`, 'theirs');
    symlinkSync('../secret.txt', `${photos}/file.jpg`);
    symlinkSync(`${base}/photos-of-others`, `${photos}/folder`);
    symlinkSync('/dev/zero', `${photos}/zero.jpg`);
    symlinkSync(base, `${photos}/up`);
    expect(await relative(store)).toEqual(['a.jpg', 'file.jpg', 'folder', 'up', 'zero.jpg']);
    for (const name of ['file.jpg', 'folder', 'up', 'zero.jpg', 'folder/b.jpg', 'up/secret.txt']) {
      expect(await rejection(store, name)).toBe('a link that leaves the folder');
    }
    expect(textOf(await store.get(`${prefix}a.jpg`))).toBe('one');
  });

  it('to nothing or in circles are rejected inputs', async () => {
    const { store, photos } = await mounted({});
    symlinkSync('gone.jpg', `${photos}/dangling.jpg`);
    symlinkSync('circle.jpg', `${photos}/circle.jpg`);
    expect(await relative(store)).toEqual(['circle.jpg', 'dangling.jpg']);
    expect(await rejection(store, 'dangling.jpg')).toBe('a link to nothing');
    expect(await rejection(store, 'circle.jpg')).toBe('a link that leads in a circle');
  });

  it('to folders inside are not entered: no file counts twice, no loop is walked', async () => {
    const { store, photos } = await mounted({ 'a/1.jpg': 'one' });
    symlinkSync('..', `${photos}/a/up`);
    symlinkSync('a', `${photos}/b`);
    expect(await relative(store)).toEqual(['a/1.jpg', 'a/up', 'b']);
    expect(await rejection(store, 'b')).toBe('a link to a folder; its files count where they lie');
    expect(await rejection(store, 'a/up')).toBe('a link to a folder; its files count where they lie');
  });
});

describe('a mounted folder with files that cannot be read', () => {
  it('rejects what may not be opened, and shows it all the same', async () => {
    const { store, photos, base } = await mounted({ 'a.jpg': 'one', 'closed/b.jpg': 'two', 'c.jpg': 'three' });
    chmodSync(base, 0o755);
    chmodSync(`${photos}/a.jpg`, 0);
    chmodSync(`${photos}/closed`, 0);
    onTestFinished(() => chmodSync(`${photos}/closed`, 0o755));
    await asOrdinaryUser(async () => {
      expect(await relative(store)).toEqual(['a.jpg', 'c.jpg', 'closed']);
      expect(await rejection(store, 'a.jpg')).toBe('it may not be read (no permission)');
      expect(await rejection(store, 'closed')).toBe('a folder that may not be opened (no permission)');
      expect(textOf(await store.get(`${prefix}c.jpg`))).toBe('three');
    });
  });

  it('rejects pipes and sockets without waiting for them', async () => {
    const { store, photos } = await mounted({ 'a.jpg': 'one' });
    execFileSync('mkfifo', [`${photos}/pipe.jpg`]);
    const server = createServer().listen(`${photos}/socket.jpg`);
    onTestFinished(() => void server.close());
    await new Promise(resolve => server.once('listening', resolve));
    expect(await relative(store)).toEqual(['a.jpg', 'pipe.jpg', 'socket.jpg']);
    expect(await rejection(store, 'pipe.jpg')).toBe('not a file but a pipe or device');
    expect(await rejection(store, 'socket.jpg')).toBe('not a file but a pipe or device');
  });

  it('rejects files of gigabytes without reading them', async () => {
    const { store, photos } = await mounted({ 'film.jpg': 'x' });
    truncateSync(`${photos}/film.jpg`, 2 ** 31);
    expect(await rejection(store, 'film.jpg')).toBe('too large: more than 1 GiB');
  });

  it('knows nothing of a file that vanished after it was listed', async () => {
    const { store, photos } = await mounted({ 'a.jpg': 'one', 'b.jpg': 'two' });
    const found = await relative(store);
    unlinkSync(`${photos}/a.jpg`);
    expect(found).toEqual(['a.jpg', 'b.jpg']);
    expect(await store.get(`${prefix}a.jpg`)).toBeUndefined();
  });

  it('names no folder of this machine in its reasons', async () => {
    const { store, photos, base } = await mounted({});
    symlinkSync(base, `${photos}/out`);
    symlinkSync('nowhere', `${photos}/gone`);
    symlinkSync('circle', `${photos}/circle`);
    writeFileSync(`${photos}/empty.jpg`, '');
    truncateSync(`${photos}/empty.jpg`, 2 ** 31);
    for (const name of await relative(store)) expect(await rejection(store, name)).not.toMatch(/\/|tmp|photos/);
  });
});
