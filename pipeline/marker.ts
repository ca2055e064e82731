/** Markers: the last write of a piece of work. What has a marker is complete. */
import { keys, pieceOfMarker } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { waves } from '#core/job/progress';
import type { Stage } from '#core/job/stage';
import { readJson, readObject, toJson } from './documents.ts';
import type { ObjectStore, Ports } from './ports.ts';

/** What every stage tells about a finished piece. */
export interface Marker<Summary = unknown> {
  readonly piece: string;
  readonly outputs: readonly { key: string; bytes: number; sha256: string }[];
  /** Milliseconds of work; not part of the result. */
  readonly milliseconds: number;
  /** What the machine cost meanwhile, where its price is known. */
  readonly dollars?: number;
  readonly summary: Summary;
}

/** Stores a piece's outputs, then its marker. What somebody else stored first stands. */
export async function finishPiece<Summary>(
  ports: Ports,
  plan: Plan,
  stage: Stage,
  piece: string,
  outputs: Readonly<Record<string, Uint8Array>>,
  summary: Summary,
  started: number,
): Promise<void> {
  const written = [];
  for (const [extension, bytes] of Object.entries(outputs)) {
    const key = outputKey(plan, stage, piece, extension);
    const standing = (await ports.store.putNew(key, bytes)) ? bytes : await readObject(ports.store, key);
    written.push({ key, bytes: standing.length, sha256: ports.digest.sha256(standing) });
  }
  const { dollarsPerHour, earlierMilliseconds = 0 } = ports;
  const milliseconds = earlierMilliseconds + ports.clock.now() - started;
  const dollars = dollarsPerHour === undefined ? {} : { dollars: (milliseconds / 3_600_000) * dollarsPerHour };
  const marker: Marker<Summary> = { piece, outputs: written, milliseconds, ...dollars, summary };
  await ports.store.putNew(keys.marker(plan.job, stage, plan.fingerprints[stage], piece), toJson(marker));
}

export const outputKey = (plan: Plan, stage: Stage, piece: string, extension: string): string =>
  keys.output(plan.job, stage, plan.fingerprints[stage], piece, extension);

export async function readMarker<Summary>(
  store: ObjectStore,
  plan: Plan,
  stage: Stage,
  piece: string,
): Promise<Marker<Summary>> {
  return readJson<Marker<Summary>>(store, keys.marker(plan.job, stage, plan.fingerprints[stage], piece));
}

export async function hasMarker(store: ObjectStore, plan: Plan, stage: Stage, piece: string): Promise<boolean> {
  return (await store.head(keys.marker(plan.job, stage, plan.fingerprints[stage], piece))) !== undefined;
}

/** `stage/piece` of every marker of the plan. */
export async function markersOf(store: ObjectStore, plan: Plan): Promise<Set<string>> {
  const done = new Set<string>();
  const ours = [...new Set(waves(plan).map(wave => wave.stage))].map(
    stage => [stage, keys.markers(plan.job, stage, plan.fingerprints[stage])] as const,
  );
  // All stages in one listing: it is asked for after every batch of pieces.
  for await (const key of store.keys(keys.allMarkers(plan.job))) {
    const [stage] = ours.find(([, prefix]) => key.startsWith(prefix)) ?? [];
    if (stage) done.add(`${stage}/${pieceOfMarker(key)}`);
  }
  return done;
}
