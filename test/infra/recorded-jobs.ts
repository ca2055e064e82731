/** Which keys every function and task touches, noted while real jobs run in memory and some fail. */
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { ZipArchive } from '#adapters/zip/zip-archive';
import { methodLines } from '#core/benchmark/submission';
import { keys } from '#core/job/keys';
import { advanceBatch } from '#pipeline/advance-batch';
import { fromJson, toJson } from '#pipeline/documents';
import { fanOut } from '#pipeline/fan-out';
import { labelLive } from '#pipeline/live';
import { parseMessage } from '#pipeline/messages';
import { scoreUpload } from '#pipeline/score-submission';
import { type FunctionName, functions, type TaskName, taskNames } from '#pipeline/settings';
import { reportFailure, runMessage } from '#pipeline/stages';
import { startJobs } from '#pipeline/start-job';
import { sweep } from '#pipeline/sweep';
import { rawZip } from '../benchmark/hostile-zips.ts';
import { rgb, row } from '../pipeline/id-pngs.ts';
import { fillBucket, type Machine, portsOf } from '../pipeline/small-job.ts';
import { type Note, RecordingStore } from './recording-store.ts';

export type Actor = FunctionName | TaskName;

const clock = { now: () => 0 };
const event = (key: string) => JSON.stringify({ Records: [{ s3: { object: { key, size: 10, eTag: 'e' } } }] });

const text = (content: string) => new TextEncoder().encode(content);

class Recorder {
  readonly store = new MemoryStore();
  readonly notes = new Map<Actor, Note[]>();
  readonly queue = new MemoryQueue({ clock });
  readonly queues = { work: () => this.queue, control: this.queue };
  readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** What an actor works with. */
  ports(actor: Actor) {
    const noted = this.notes.get(actor) ?? [];
    this.notes.set(actor, noted);
    const ports = portsOf(this.machine, new RecordingStore(this.store, note => noted.push(note)), clock);
    // Slices as short as can be, so that checkpoints come and go.
    return { ...ports, tuning: { ...ports.tuning, sliceSeconds: 0 } };
  }

  start(job: string, goesOn?: () => boolean) {
    return startJobs(this.ports('plan'), this.queues, event(keys.request(job)), goesOn);
  }

  /** Until nothing waits. */
  async work(): Promise<void> {
    while (this.queue.size > 0) {
      for (const { body, receipt } of await this.queue.receive(1, 0)) {
        await this.#handle(body);
        await this.queue.delete(receipt);
      }
    }
  }

  async #handle(body: string): Promise<void> {
    const { stage } = parseMessage(body);
    if (stage === 'plan') await startJobs(this.ports('plan'), this.queues, body);
    else if (stage === 'advance') await advanceBatch(this.ports('advance'), this.queues, [{ id: 'm', body }]);
    else await runMessage(this.ports(stage), this.queues, body);
  }

  sweep() {
    return sweep(this.ports('backlog'), this.queues, this.queue);
  }
}

/** A job with masks and a network of its own; its model applied to the same images and to single ones; failures of every stage. */
export async function recordJobs(): Promise<ReadonlyMap<Actor, readonly Note[]>> {
  const models = new OnnxRuntime();
  const recorder = new Recorder({ models, images: new SharpCodec() });
  const { store } = recorder;
  try {
    await fillBucket(recorder.machine.images, store, { clusters: 3 });
    let asked = 0;
    await recorder.start('j', () => ++asked > 1);
    await recorder.work();
    const { model, version } = fromJson<{ model: string; version: string }>(
      (await store.get(keys.currentModel('selflabel')))!,
    );
    const predict = { kind: 'predict', images: 'datasets/d/images/', model: keys.model(model, version, '') };
    await store.put(keys.request('p'), toJson(predict));
    await store.put(`${keys.failures('p')}plan/00000000-plan.json`, toJson({}));
    await recorder.start('p');
    await recorder.work();
    const tuned = { ...fromJson<object>((await store.get(keys.request('j')))!), finetune: 'head', trainEpochs: 1 };
    await store.put(keys.request('f'), toJson(tuned));
    await recorder.start('f');
    await recorder.work();
    await recordLive(recorder, model);
    await recordTrouble(recorder);
    await recordScore(recorder);
  } finally {
    await models.close();
  }
  return recorder.notes;
}

/** An image for a model that is there, and one for a model that is published later. */
async function recordLive(recorder: Recorder, model: string): Promise<void> {
  const { store, queue } = recorder;
  for await (const key of store.keys('datasets/d/images/a/'))
    await store.put(keys.live(model, 'a.jpg'), (await store.get(key))!);
  await store.put(keys.live(model, 'broken.jpg'), new Uint8Array(10));
  await fanOut({ ...recorder.ports('fan-out'), digest: nodeDigest }, queue, [
    { id: '1', body: event(keys.live(model, 'a.jpg')) },
    { id: '2', body: event(keys.live(model, 'broken.jpg')) },
    { id: '3', body: event(keys.live('later', 'a.jpg')) },
  ]);
  for (const { body, receipt } of await queue.receive(10, 0)) {
    await labelLive(recorder.ports('live'), body);
    await queue.delete(receipt);
  }
}

/** A submission of one label map. */
async function recordScore(recorder: Recorder): Promise<void> {
  const ports = recorder.ports('score');
  const truth = new MemoryStore();
  await truth.put('50/masks/n1/a.png', rgb(row(0, 1)));
  await truth.put('50/categories.txt', text('1\tcat\n'));
  const noted = recorder.notes.get('score')!;
  const hidden = new RecordingStore(truth, note => noted.push(note));
  const zip = rawZip([
    { name: 'method.txt', bytes: text(methodLines.map(label => `${label}: x`).join('\n')) },
    { name: 'match.json', bytes: text('{"0": 0, "5": 1}') },
    { name: 'n1/a.png', bytes: rgb(row(0, 5)) },
  ]);
  await recorder.store.put('submissions/unsupervised-50/team-1.zip', zip);
  const [verdict] = await scoreUpload(
    { ...ports, truth: hidden, openZip: (bytes, name) => ZipArchive.open(Buffer.from(bytes), name), threads: 1 },
    ports.store,
    event('submissions/unsupervised-50/team-1.zip'),
  );
  if (verdict?.state !== 'scored') throw new Error(`the submission was not scored: ${verdict?.reason}`);
}

/** Failures, which the sweeper then meets; settings that change; a model that is published at last. */
async function recordTrouble(recorder: Recorder): Promise<void> {
  const { store } = recorder;
  for (const actor of [...taskNames, 'publish'] as const) {
    if (actor === 'live') continue;
    await reportFailure(recorder.ports(actor), { v: 1, job: 'j', stage: actor, piece: '000000' }, 'cannot');
  }
  await store.delete(keys.marker('j', 'publish', await publishFingerprint(store), 'publish'));
  await advanceBatch(recorder.ports('advance'), recorder.queues, [
    { id: 'm', body: JSON.stringify({ v: 1, job: 'j', stage: 'advance' }) },
  ]);
  // Once more, over the thumbnails of before.
  await runMessage(
    recorder.ports('publish'),
    recorder.queues,
    JSON.stringify({ v: 1, job: 'j', stage: 'publish', piece: 'publish' }),
  );
  await store.put(keys.currentModel('later'), (await store.get(keys.currentModel('selflabel')))!);
  await recorder.sweep();
  const request = fromJson<object>((await store.get(keys.request('j')))!);
  await store.put(keys.request('j'), toJson({ ...request, clusters: 2 }));
  await recorder.start('j');
}

const publishFingerprint = async (store: MemoryStore): Promise<string> =>
  fromJson<{ fingerprints: { publish: string } }>((await store.get(keys.plan('j')))!).fingerprints.publish;

/** Every actor there is. */
export const actors: readonly Actor[] = [...(Object.keys(functions) as FunctionName[]), ...taskNames];
