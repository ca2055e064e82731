/** A folder as read by a thread that has nothing else to do. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ObjectStore } from '#pipeline/ports';
import { FolderStore } from './folder-store.ts';
import { assertKey } from './key-path.ts';

/** Reads at once, without a way to the thread pool and back for opening, looking at, reading and closing every file. */
export async function quickFolder(folder: string): Promise<Pick<ObjectStore, 'get' | 'keys'>> {
  const store = await FolderStore.open(folder);
  const root = resolve(folder);
  return {
    keys: prefix => store.keys(prefix),
    async get(key) {
      assertKey(key);
      try {
        return readFileSync(join(root, key));
      } catch {
        // Absent, or a name or trouble that the store knows more about.
        return store.get(key);
      }
    },
  };
}
