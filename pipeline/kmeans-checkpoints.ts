/** Keeps a k-means run in the store while it is long: killed or cut, it goes on to the same bytes. */
import { readNpyOf, writeNpy } from '#core/formats/npy';
import { readTar, writeTar } from '#core/formats/tar';
import { fromJson, toJson } from './documents.ts';
import type { KmeansKeeper, KmeansPosition } from './kmeans.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { beginSlice, SliceOver } from './slices.ts';

/** Seconds of work that a kill may cost: a checkpoint holds a number per vector. */
const checkpointSeconds = 300;

export class KmeansCheckpoints implements KmeansKeeper {
  readonly #ports: Pick<Ports, 'store' | 'clock' | 'tuning'>;
  readonly #key: string;
  #isSliceOver: (() => boolean) | undefined;
  #savedAt = 0;
  #isThere = false;

  /** @param key of the checkpoint, of this run alone */
  constructor(ports: Pick<Ports, 'store' | 'clock' | 'tuning'>, key: string) {
    this.#ports = ports;
    this.#key = key;
  }

  async load(): Promise<KmeansPosition | undefined> {
    const { store, clock } = this.#ports;
    const position = await readCheckpoint(store, this.#key);
    this.#isThere = position !== undefined;
    this.#savedAt = clock.now();
    this.#isSliceOver = beginSlice(this.#ports);
    return position;
  }

  /** @throws SliceOver, with a checkpoint, where pieces are worked on in slices */
  async keep(position: KmeansPosition): Promise<void> {
    const { store, clock } = this.#ports;
    const isOver = this.#isSliceOver?.() ?? false;
    if (!isOver && clock.now() - this.#savedAt < 1000 * checkpointSeconds) return;
    await store.put(this.#key, checkpointOf(position));
    this.#isThere = true;
    this.#savedAt = clock.now();
    if (isOver) throw new SliceOver(`k-means: ${position.iterations.length} iterations`);
  }

  /** Once the run is over. */
  async clear(): Promise<void> {
    if (this.#isThere) await this.#ports.store.delete(this.#key);
  }
}

function checkpointOf({ centroids, assignment, iterations, random }: KmeansPosition): Uint8Array {
  const { count, dimension } = centroids;
  const { clusters, sums } = assignment;
  const shape = [count, dimension];
  return writeTar([
    { name: 'position.json', bytes: toJson({ iterations, random }) },
    { name: 'centroids.npy', bytes: writeNpy({ kind: 'float64', data: centroids.data.slice(), shape }) },
    { name: 'sums.npy', bytes: writeNpy({ kind: 'float64', data: sums.sums.slice(), shape }) },
    { name: 'counts.npy', bytes: writeNpy({ kind: 'int32', data: sums.counts.slice(), shape: [count] }) },
    { name: 'clusters.npy', bytes: writeNpy({ kind: 'int32', data: clusters.slice(), shape: [clusters.length] }) },
  ]);
}

async function readCheckpoint(store: ObjectStore, key: string): Promise<KmeansPosition | undefined> {
  const bytes = await store.get(key);
  if (!bytes) return undefined;
  const files = new Map([...readTar(bytes, key)].map(entry => [entry.name, entry.bytes]));
  // Copies: the run changes its numbers, and those that were read may be the store's own.
  const numbers = <K extends 'float64' | 'int32'>(kind: K, name: string) => {
    const { data, shape } = readNpyOf(kind, files.get(name)!, key);
    return { data: data.slice() as typeof data, shape };
  };
  const { data, shape } = numbers('float64', 'centroids.npy');
  const [count = 0, dimension = 0] = shape;
  const sums = numbers('float64', 'sums.npy').data;
  const counts = numbers('int32', 'counts.npy').data;
  return {
    ...fromJson<Pick<KmeansPosition, 'iterations' | 'random'>>(files.get('position.json')!),
    centroids: { data, count, dimension },
    assignment: { clusters: numbers('int32', 'clusters.npy').data, sums: { sums, counts, dimension } },
  };
}
