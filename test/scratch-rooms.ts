/** Folders that live as long as a test file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** To be called at the top of a test file: a new empty folder, removed after its last test. */
export function scratchRoom(): string {
  const folder = mkdtempSync(join(tmpdir(), 'selflabel-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
