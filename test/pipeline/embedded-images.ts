/** A store with what stage embed leaves, from vectors that a test makes up: what clustering works on. */
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import type { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { writeNpy } from '#core/formats/npy';
import type { Plan } from '#core/job/plan';
import { parseRequest } from '#core/job/request';
import { finishPiece } from '#pipeline/marker';
import type { Ports } from '#pipeline/ports';

export interface EmbeddedImage {
  readonly name: string;
  /** Equal for copies. */
  readonly sha256: string;
  readonly pooled: Float32Array;
  /** Vectors for clustering. */
  readonly rows: readonly Float32Array[];
}

/** A plan over these images, cut into shards of so many. */
export const planOf = (images: number, perShard: number, settings: object): Plan => ({
  version: 1,
  job: 'j',
  request: parseRequest({ images: 'datasets/d/images/', ...settings }),
  images,
  shards: Array.from({ length: Math.ceil(images / perShard) }, (_, i) => String(i).padStart(6, '0')),
  clusters: 'clusters' in settings ? (settings.clusters as Plan['clusters']) : 2,
  fingerprints: {
    plan: 'p',
    attend: 'a',
    embed: 'e',
    cluster: 'c',
    label: 'l',
    finetune: '',
    evaluate: 'v',
    publish: 'u',
  },
});

const npyOf = (rows: readonly Float32Array[]) => {
  const dimension = rows[0]?.length ?? 0;
  const data = Float32Array.from(rows.flatMap(row => [...row]));
  return writeNpy({ kind: 'float32', data, shape: [rows.length, dimension] });
};

export async function embeddedPorts(
  models: OnnxRuntime,
  plan: Plan,
  images: readonly EmbeddedImage[],
  perShard: number,
): Promise<Ports> {
  const ports: Ports = {
    store: new MemoryStore(),
    models,
    images: new SharpCodec(),
    digest: nodeDigest,
    clock: { now: () => 0 },
    log: { progress: () => undefined, note: () => undefined },
    tuning: { threads: 2 },
    place: 'memory',
  };
  for (const [s, shard] of plan.shards.entries()) {
    const own = images.slice(s * perShard, (s + 1) * perShard);
    const outputs = { npy: npyOf(own.flatMap(({ rows }) => rows)), 'pooled.npy': npyOf(own.map(one => one.pooled)) };
    const summary = own.map(({ name, sha256, rows }) => ({
      name,
      state: 'read',
      sha256,
      width: 1,
      height: 1,
      notes: [],
      rows: rows.length,
    }));
    await finishPiece(ports, plan, 'embed', shard, outputs, { images: summary }, 0);
  }
  return ports;
}
