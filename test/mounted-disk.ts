/** Small and read-only disks for tests, where the machine lets us mount them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const mount = (...words: string[]) => execFileSync('mount', words, { stdio: 'pipe' });

/** Why there can be no disk; empty where there can. */
export const mountMissing = (() => {
  const place = mkdtempSync(join(tmpdir(), 'selflabel-probe-'));
  try {
    mount('-t', 'tmpfs', '-o', 'size=64k', 'none', place);
    execFileSync('umount', [place]);
    return '';
  } catch {
    return ' (skipped: this user may not mount a disk)';
  } finally {
    rmdirSync(place);
  }
})();

export interface Disk {
  readonly folder: string;
  /** For example `size=40m` or `ro`. */
  remount(options: string): void;
}

/** A disk in memory at a new folder, gone when the running test ends. */
export function mountedDisk(folder: string, options: string): Disk {
  mkdirSync(folder, { recursive: true });
  mount('-t', 'tmpfs', '-o', options, 'none', folder);
  onTestFinished(() => void execFileSync('umount', [folder]));
  return { folder, remount: changed => void mount('-o', `remount,${changed}`, folder) };
}
