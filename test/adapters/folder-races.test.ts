import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FolderStore } from '#adapters/local/folder-store';
import { listed } from '../contracts/object-store.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';
import { startProcess, startProcesses } from './folder-processes.ts';

const textOf = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

function expectWhole(key: string, bytes: Uint8Array | undefined): void {
  const digest = createHash('sha256').update(bytes!.subarray(32)).digest();
  expect(Buffer.compare(digest, bytes!.subarray(0, 32)), key).toBe(0);
}

const leftovers = (folder: string) => readdirSync(`${folder}/.selflabel/temp`);

describe('FolderStore between processes', () => {
  it('has one winner per putNew', async () => {
    const folder = scratchFolder();
    const processes = await startProcesses(4, 'putNew', folder);
    for (const { go } of processes) go();
    const won = (await Promise.all(processes.map(({ answer }) => answer()))) as number[][];
    expect(won.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    const store = await FolderStore.open(folder);
    for (const [i, rounds] of won.entries()) {
      for (const round of rounds) expect(textOf(await store.get(`race/${round}`))).toBe(`process ${i}`);
    }
  });

  it('loses no count in swaps', async () => {
    const folder = scratchFolder();
    const processes = await startProcesses(4, 'count', folder);
    for (const { go } of processes) go();
    await Promise.all(processes.map(({ answer }) => answer()));
    expect(textOf(await (await FolderStore.open(folder)).get('counter'))).toBe('100');
    expect(leftovers(folder)).toEqual([]);
    expect(readdirSync(`${folder}/.selflabel/locks`)).toEqual([]);
  });

  it('holds only whole objects however often writers are killed, and works on', async () => {
    const folder = scratchFolder();
    const survivor = await startProcess('write', folder, 'survivor');
    survivor.go();
    for (let round = 0; round < 6; round++) {
      const victim = await startProcess('write', folder, `victim ${round}`);
      victim.go();
      await sleep(40 + 37 * round);
      await victim.kill();
    }
    await sleep(200);
    await survivor.kill();
    const store = await FolderStore.open(folder);
    const objects = await listed(store, '');
    expect(objects.length).toBeGreaterThan(10);
    for (const { key } of objects) expectWhole(key, await store.get(key));
    expect(leftovers(folder)).toEqual([]);
    const found = await store.getTagged('objects/shared/swap');
    expect(await store.swap('objects/shared/swap', found!.bytes, found!.etag)).toBeDefined();
    for (const { key } of objects) await store.delete(key);
    expect(await listed(store, '')).toEqual([]);
    expect(existsSync(`${folder}/objects`)).toBe(false);
  });

  it('leaves the temporary files of living processes alone', async () => {
    const folder = scratchFolder();
    const writer = await startProcess('write', folder, 'writer');
    writer.go();
    for (let i = 0; i < 40; i++) {
      await FolderStore.open(folder);
      await sleep(5);
    }
    expect(writer.child.exitCode).toBeNull();
    await writer.kill();
  });
});
