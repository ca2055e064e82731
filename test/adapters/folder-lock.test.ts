import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FolderLock } from '#adapters/local/folder-lock';
import { lifeOf, ownIdentity } from '#adapters/local/process-identity';
import { PermanentError } from '#core/errors';
import { scratchFolder } from '../contracts/scratch-folder.ts';
import { startProcess, startProcesses } from './folder-processes.ts';

const lockFile = (folder: string) => `${folder}/.selflabel/lock`;

/** A lock file as another process would have left it. */
function plant(folder: string, holder: object, ageSeconds = 0): void {
  mkdirSync(`${folder}/.selflabel`, { recursive: true });
  writeFileSync(lockFile(folder), JSON.stringify({ ...ownIdentity, token: 'planted', since: 0, ...holder }));
  const written = new Date(Date.now() - ageSeconds * 1000);
  utimesSync(lockFile(folder), written, written);
}

describe('FolderLock', () => {
  it('lets one in, and the next one after it', async () => {
    const folder = `${scratchFolder()}/new`;
    const lock = await FolderLock.acquire(folder);
    await expect(FolderLock.acquire(folder)).rejects.toThrow(PermanentError);
    await expect(FolderLock.acquire(folder)).rejects.toThrow(`${folder} is in use by process ${process.pid} (since `);
    await lock.release();
    expect(existsSync(lockFile(folder))).toBe(false);
    await (await FolderLock.acquire(folder)).release();
  });

  it('refuses while another process lives, and takes over when it was killed', async () => {
    const folder = scratchFolder();
    const other = await startProcess('lock', folder, 'other');
    other.go();
    expect(await other.answer()).toBe('locked');
    await expect(FolderLock.acquire(folder)).rejects.toThrow(`is in use by process ${other.pid}`);
    await other.kill();
    const lock = await FolderLock.acquire(folder);
    expect(JSON.parse(readFileSync(lockFile(folder), 'utf8'))).toMatchObject({ pid: process.pid });
    await lock.release();
  });

  it('lets only one of several take over from the dead', async () => {
    const folder = scratchFolder();
    plant(folder, { pid: process.pid, started: '1' });
    const processes = await startProcesses(4, 'lock', folder);
    for (const { go } of processes) go();
    const answers = await Promise.all(processes.map(({ answer }) => answer()));
    expect(answers.filter(answer => answer === 'locked').length).toBe(1);
    const refusals = answers.filter(answer => answer !== 'locked') as { name: string }[];
    expect(refusals.every(({ name }) => name === 'PermanentError')).toBe(true);
    await Promise.all(processes.map(({ kill }) => kill()));
  });

  it.each([
    ['a process id that is used again by a younger process', { pid: process.pid, started: '1' }],
    ['a process before the last boot', { boot: 'before' }],
    ['a process that is no more', { pid: 2 ** 22 + 1 }],
  ])('takes over from %s', async (_, holder) => {
    const folder = scratchFolder();
    plant(folder, holder);
    await (await FolderLock.acquire(folder)).release();
  });

  it('believes other machines for two minutes after their last sign of life', async () => {
    const folder = scratchFolder();
    plant(folder, { pid: 77, machine: 'elsewhere', host: 'far-away' }, 100);
    await expect(FolderLock.acquire(folder)).rejects.toThrow('is in use by process 77 on far-away (since 1970-01-01');
    plant(folder, { pid: 77, machine: 'elsewhere', host: 'far-away' }, 130);
    await (await FolderLock.acquire(folder)).release();
  });

  it('takes over a lock that a power failure left empty, once it is old', async () => {
    const folder = scratchFolder();
    plant(folder, {});
    writeFileSync(lockFile(folder), '');
    await expect(FolderLock.acquire(folder)).rejects.toThrow(PermanentError);
    const old = new Date(Date.now() - 200_000);
    utimesSync(lockFile(folder), old, old);
    await (await FolderLock.acquire(folder)).release();
  });

  it('does not release what another process has taken over', async () => {
    const folder = scratchFolder();
    const lock = await FolderLock.acquire(folder);
    plant(folder, { token: 'somebody-else' });
    await lock.release();
    expect(existsSync(lockFile(folder))).toBe(true);
  });
});

describe('lifeOf', () => {
  it('knows this process, its parent and strangers', () => {
    expect(lifeOf(ownIdentity)).toBe('alive');
    expect(lifeOf({ ...ownIdentity, machine: 'elsewhere' })).toBe('unknown');
    expect(lifeOf({ ...ownIdentity, pid: 2 ** 22 + 1 })).toBe('dead');
  });
});
