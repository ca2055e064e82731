/** Folders of files made for a test, and the store that reads them. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FolderStore } from '#adapters/local/folder-store';

export const openFolder = (root: string): Promise<FolderStore> => FolderStore.open(root);

/** A new folder with these files. */
export function folderWith(files: Readonly<Record<string, Uint8Array | string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'selflabel-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}
