/** A second process on a folder, for tests of races and sudden death: `tsx folder-process.ts ROLE FOLDER NAME`, starting on a line from stdin. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { FolderLock } from '#adapters/local/folder-lock';
import { FolderStore } from '#adapters/local/folder-store';

const [role = '', folder = '', name = ''] = process.argv.slice(2);
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** An object that says itself whether it is whole: a digest, then as many bytes as that covers. */
function sealed(length: number): Uint8Array {
  const content = Buffer.alloc(length, name);
  return Buffer.concat([createHash('sha256').update(content).digest(), content]);
}

async function putNew(store: FolderStore): Promise<unknown> {
  const won: number[] = [];
  for (let round = 0; round < 40; round++) {
    if (await store.putNew(`race/${round}`, bytesOf(name))) won.push(round);
  }
  return won;
}

async function count(store: FolderStore): Promise<unknown> {
  for (let increments = 0; increments < 25; ) {
    const found = await store.getTagged('counter');
    const next = String(Number(found ? Buffer.from(found.bytes).toString() : 0) + 1);
    if (await store.swap('counter', bytesOf(next), found?.etag)) increments++;
  }
  return 'counted';
}

async function writeForEver(store: FolderStore): Promise<never> {
  for (let i = 0; ; i++) {
    const bytes = sealed(1 + ((i * 7919) % 200_000));
    await store.putNew(`objects/${name}/new-${i}`, bytes);
    await store.put(`objects/shared/put-${i % 3}`, bytes);
    const found = await store.getTagged('objects/shared/swap');
    await store.swap('objects/shared/swap', bytes, found?.etag);
    if (i % 5 === 4) await store.delete(`objects/${name}/new-${i}`);
  }
}

process.stdout.write('ready\n');
await once(process.stdin, 'data');
const say = (result: unknown) => process.stdout.write(`${JSON.stringify(result)}\n`);
if (role === 'lock') {
  await FolderLock.acquire(folder).then(
    () => say('locked'),
    (error: Error) => say({ name: error.name, message: error.message }),
  );
  await once(process.stdin, 'end');
} else {
  const store = await FolderStore.open(folder);
  if (role === 'putNew') say(await putNew(store));
  if (role === 'count') say(await count(store));
  if (role === 'write') await writeForEver(store);
}
process.exit(0);
