/** Which keys every stage reads and writes, noted while real jobs run in memory. */
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { keys } from '#core/job/keys';
import type { Stage } from '#core/job/stage';
import { fromJson, toJson } from '#pipeline/documents';
import { parseMessage } from '#pipeline/messages';
import { runMessage } from '#pipeline/stages';
import { fillBucket, type Machine, portsOf } from '../pipeline/small-job.ts';
import { type Note, RecordingStore } from './recording-store.ts';

export type Recorded = ReadonlyMap<Stage | 'advance', readonly Note[]>;

/** A job with masks and a backbone of its own, and its model applied to the same images. */
export async function recordJobs(): Promise<Recorded> {
  const models = new OnnxRuntime();
  const machine = { models, images: new SharpCodec() };
  const notes = new Map<Stage | 'advance', Note[]>();
  const store = new MemoryStore();
  try {
    await fillBucket(machine.images, store, { clusters: 3 });
    await runJob(machine, store, 'j', notes);
    const { model, version } = fromJson<{ model: string; version: string }>(
      (await store.get(keys.currentModel('selflabel')))!,
    );
    const predict = { kind: 'predict', images: 'datasets/d/images/', model: keys.model(model, version, '') };
    await store.put(keys.request('p'), toJson(predict));
    await runJob(machine, store, 'p', notes);
  } finally {
    await models.close();
  }
  return notes;
}

async function runJob(
  machine: Machine,
  store: MemoryStore,
  job: string,
  notes: Map<Stage | 'advance', Note[]>,
): Promise<void> {
  const queue = new MemoryQueue({ clock: { now: () => 0 } });
  const queues = { work: () => queue, control: queue };
  await queue.send([JSON.stringify({ v: 1, job, stage: 'plan', piece: 'plan' })]);
  while (queue.size > 0) {
    for (const { body, receipt } of await queue.receive(1, 0)) {
      const { stage } = parseMessage(body);
      const noted = notes.get(stage) ?? [];
      notes.set(stage, noted);
      const recording = new RecordingStore(store, note => noted.push(note));
      await runMessage(portsOf(machine, recording, { now: () => 0 }), queues, body);
      await queue.delete(receipt);
    }
  }
}
