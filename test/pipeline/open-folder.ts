/** A folder read as the store port reads it: keys with `/`, in the order of their UTF-8 bytes. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { ObjectStore } from '#pipeline/ports';

export type ReadableStore = Pick<ObjectStore, 'get' | 'list'>;

export function openFolder(root: string): ReadableStore {
  return {
    async get(key) {
      return existsSync(join(root, key)) ? readFileSync(join(root, key)) : undefined;
    },
    async *list(prefix) {
      const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
      const keys = files.map(file => relative(root, join(file.parentPath, file.name)));
      for (const key of keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
        if (key.startsWith(prefix)) yield { key, size: statSync(join(root, key)).size, etag: key };
      }
    },
  };
}

/** A new folder with these files. */
export function folderWith(files: Readonly<Record<string, Uint8Array | string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'selflabel-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}
