/** The pixel attention trained by itself: photos and a backbone in, files for later runs out (method 2.3). */
import { backboneBytes } from '#core/backbone/backbone-file';
import { settingsJson } from '#core/backbone/settings-json';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { attend } from './attend.ts';
import { type AttentionReport, attentionReport, openAttended, openBackbone, runOf } from './backbone.ts';
import { readJson, readObject, toJson } from './documents.ts';
import { hasMarker, outputKey } from './marker.ts';
import { plan } from './plan.ts';
import type { Ports } from './ports.ts';

export interface AttendedAlone {
  readonly report: AttentionReport;
  /** Whether the backbone was written, too: training moved its running statistics. */
  readonly backbone: boolean;
}

const piece = 'head';

/**
 * Does the first two stages of the request that lies at the job's key, and writes `attention.onnx`, `attention.json`,
 * `training.jsonl`, and `backbone.onnx` with `backbone.json` where the training moved the backbone's running statistics.
 * The same again goes on where it was stopped.
 */
export async function attendAlone(ports: Ports, job: string): Promise<AttendedAlone> {
  await plan(ports, job);
  const { store } = ports;
  const planned = await readJson<Plan>(store, keys.plan(job));
  if (!(await hasMarker(store, planned, 'attend', piece))) await attend(ports, planned, piece);
  const report = await attentionReport(store, planned);
  await store.put('attention.onnx', await readObject(store, outputKey(planned, 'attend', piece, 'onnx')));
  await store.put('training.jsonl', await readObject(store, outputKey(planned, 'attend', piece, 'jsonl')));
  const backbone = await writeBackbone(ports, planned, report);
  await store.put('attention.json', toJson(await describe(ports, planned, report)));
  return { report, backbone };
}

/** What belongs together, by hash, and how it was trained. */
async function describe({ store, digest }: Ports, planned: Plan, { histogram: _, ...report }: AttentionReport) {
  const { backbone, seed } = runOf(planned);
  const sha = async (key: string) => digest.sha256(await readObject(store, key));
  const hashes = {
    attention: await sha('attention.onnx'),
    ...(backbone === 'filter-bank' ? {} : { backbone: await sha(backbone) }),
  };
  return { version: 1, backbone: backbone.replace('backbones/', ''), hashes, seed, ...report };
}

async function writeBackbone({ store }: Ports, planned: Plan, { gate }: AttentionReport): Promise<boolean> {
  if (!gate?.movedStatistics) return false;
  const { settings } = await openBackbone(store, runOf(planned));
  const { model } = await openAttended(store, planned);
  const { deep, fine } = settings;
  const declared = {
    ...settings,
    deep: { ...deep, declared: true },
    ...(fine && { fine: { ...fine, declared: true } }),
  };
  await store.put('backbone.onnx', backboneBytes(model, settings));
  await store.put('backbone.json', toJson(settingsJson('backbone.onnx', model, declared)));
  return true;
}
