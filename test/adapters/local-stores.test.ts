import { FolderStore } from '#adapters/local/folder-store';
import { MemoryStore } from '#adapters/local/memory-store';
import { objectStoreContract } from '../contracts/object-store.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';

objectStoreContract('MemoryStore', async () => {
  const store = new MemoryStore();
  return { store, again: async () => store.restarted() };
});

objectStoreContract('FolderStore', async () => {
  const folder = scratchFolder();
  return { store: await FolderStore.open(folder), again: () => FolderStore.open(folder) };
});

objectStoreContract('FolderStore on a disk without hard links', async () => {
  const folder = scratchFolder();
  const open = () => FolderStore.open(folder, { hardLinks: false });
  return { store: await open(), again: open };
});
