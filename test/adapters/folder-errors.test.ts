import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FolderLock } from '#adapters/local/folder-lock';
import { FolderStore } from '#adapters/local/folder-store';
import { PermanentError } from '#core/errors';
import { keysUnder } from '../contracts/object-store.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';
import { asOrdinaryUser } from './ordinary-user.ts';

const bytes = Buffer.from('x');

async function permanentMessage(job: Promise<unknown>): Promise<string> {
  const failure = await job.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PermanentError);
  return (failure as Error).message;
}

/** A small disk in memory, or why there is none: mounting needs the superuser of a Linux machine. */
function tryMount(folder: string, options: string): string {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', folder], { stdio: 'pipe' });
    return '';
  } catch {
    return ' (skipped: this user may not mount a disk)';
  }
}

const mountMissing = (() => {
  const place = '/tmp/selflabel-mount-probe';
  mkdirSync(place, { recursive: true });
  const reason = tryMount(place, 'size=64k');
  if (!reason) execFileSync('umount', [place]);
  return reason;
})();

describe('FolderStore and names in the way', () => {
  it('says so when a folder has the name of an object', async () => {
    const store = await FolderStore.open(scratchFolder());
    await store.put('labels/a.png/b.png', bytes);
    for (const write of [() => store.putNew('labels/a.png', bytes), () => store.put('labels/a.png', bytes)]) {
      expect(await permanentMessage(write())).toMatch(
        /^labels\/a\.png cannot be written to .*: a folder of that name is in the way$/,
      );
    }
    expect(await store.get('labels/a.png')).toBeUndefined();
    expect(await store.head('labels/a.png')).toBeUndefined();
    await store.delete('labels/a.png');
    expect(await keysUnder(store, '')).toEqual(['labels/a.png/b.png']);
  });

  it('says so when an object has the name of a folder', async () => {
    const folder = scratchFolder();
    for (const hardLinks of [true, false]) {
      const store = await FolderStore.open(folder, { hardLinks });
      await store.put('labels/a.png', bytes);
      for (const key of ['labels/a.png/b.png', 'labels/a.png/b/c.png']) {
        for (const write of [() => store.putNew(key, bytes), () => store.put(key, bytes)]) {
          expect(await permanentMessage(write())).toMatch(/: a file is in the way of one of its folders$/);
        }
        expect(await store.get(key)).toBeUndefined();
        expect(await store.head(key)).toBeUndefined();
        await store.delete(key);
      }
      expect(await keysUnder(store, '')).toEqual(['labels/a.png']);
    }
  });

  it('keeps its own corner to itself', async () => {
    const store = await FolderStore.open(scratchFolder());
    await store.put('a', bytes);
    expect(await permanentMessage(store.put('.selflabel/temp/x', bytes))).toContain('kept for the program itself');
    expect(await keysUnder(store, '')).toEqual(['a']);
    await store.put('b/.selflabel/x', bytes);
    expect(await keysUnder(store, '')).toEqual(['a', 'b/.selflabel/x']);
  });

  it('refuses names that the disk cannot hold, and finds nothing there', async () => {
    const store = await FolderStore.open(scratchFolder());
    const key = `labels/${'x'.repeat(300)}.png`;
    expect(await permanentMessage(store.putNew(key, bytes))).toMatch(
      /is too long for the disk.*; shorten the image's name$/,
    );
    expect(await store.get(key)).toBeUndefined();
  });
});

describe('FolderStore on folders that cannot be used', () => {
  it('names a folder without permission as it was typed, and the remedy', async () => {
    const base = scratchFolder();
    chmodSync(base, 0o755);
    mkdirSync(`${base}/locked`, { mode: 0o555 });
    await asOrdinaryUser(async () => {
      const folder = `${base}/../${base.split('/').at(-1)}/locked`;
      const expected = `${folder} may not be used (no permission); change its permissions or choose another folder`;
      const store = await FolderStore.open(folder);
      expect(await permanentMessage(store.putNew('a/b', bytes))).toBe(expected);
      expect(await permanentMessage(store.put('a/b', bytes))).toBe(expected);
      expect(await permanentMessage(FolderLock.acquire(folder))).toBe(expected);
      expect(await keysUnder(store, '')).toEqual([]);
    });
  });

  it('creates nothing before it writes', async () => {
    const folder = `${scratchFolder()}/later`;
    const store = await FolderStore.open(folder);
    expect(await store.get('a')).toBeUndefined();
    expect(existsSync(folder)).toBe(false);
    await store.put('a', bytes);
    expect(readdirSync(folder).sort()).toEqual(['.selflabel', 'a']);
  });

  it('follows links in its own folder, but not in circles', async () => {
    const base = scratchFolder();
    mkdirSync(`${base}/big-disk`);
    mkdirSync(`${base}/out`);
    symlinkSync(`${base}/big-disk`, `${base}/out/jobs`);
    symlinkSync('.', `${base}/out/self`);
    symlinkSync('nowhere', `${base}/out/gone`);
    const store = await FolderStore.open(`${base}/out`);
    await store.putNew('jobs/1/plan.json', bytes);
    expect(existsSync(`${base}/big-disk/1/plan.json`)).toBe(true);
    expect(await keysUnder(store, '')).toEqual(['jobs/1/plan.json']);
  });
});

describe.skipIf(mountMissing)(`FolderStore on a small disk${mountMissing}`, () => {
  function disk(options: string): string {
    const folder = `${scratchFolder()}/disk`;
    mkdirSync(folder);
    expect(tryMount(folder, options)).toBe('');
    onTestFinished(() => void execFileSync('umount', [folder]));
    return folder;
  }

  it('says that the disk is full, leaves nothing half written, and works again when there is room', async () => {
    const folder = disk('size=256k');
    const store = await FolderStore.open(folder);
    await store.put('first', new Uint8Array(100_000));
    for (const write of [
      () => store.putNew('second', new Uint8Array(300_000)),
      () => store.put('first', new Uint8Array(300_000)),
    ]) {
      expect(await permanentMessage(write())).toBe(
        `the disk that holds ${folder} is full; free some space and start again, finished work is kept`,
      );
    }
    expect(await store.get('second')).toBeUndefined();
    expect((await store.get('first'))?.length).toBe(100_000);
    expect(readdirSync(`${folder}/.selflabel/temp`)).toEqual([]);
    await store.delete('first');
    expect(await store.putNew('second', new Uint8Array(100_000))).toBe(true);
  });

  it('says that the disk is read-only, and reads on', async () => {
    const folder = disk('size=256k');
    writeFileSync(`${folder}/there`, 'x');
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    const store = await FolderStore.open(folder);
    const expected = `${folder} lies on a read-only disk; choose another folder to write to`;
    expect(await permanentMessage(store.putNew('a', bytes))).toBe(expected);
    expect(await permanentMessage(FolderLock.acquire(folder))).toBe(expected);
    expect(await keysUnder(store, '')).toEqual(['there']);
  });

  it('says that a link to another disk is in the way', async () => {
    const folder = disk('size=256k');
    const store = await FolderStore.open(folder);
    symlinkSync(scratchFolder(), `${folder}/elsewhere`);
    expect(await permanentMessage(store.putNew('elsewhere/a', bytes))).toContain('must lie on one disk as a whole');
  });
});
