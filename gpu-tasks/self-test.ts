/** Runs every stage once, on three small pictures made here, on the device asked for; prints the device and how fast it was. */
import { MemoryQueue } from '#adapters/local/memory-queue';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PermanentError } from '#core/errors';
import { encodeIndexPng } from '#core/formats/png-index';
import { keys } from '#core/job/keys';
import type { Receipt } from '#core/job/receipt';
import { scene } from '#core/scenes/scene';
import { readJson, toJson } from '#pipeline/documents';
import type { ImageCodec, ObjectStore, Ports } from '#pipeline/ports';
import { runMessage } from '#pipeline/stages';

const pictures = 3;

/** @throws PermanentError if the device is not there or a stage does not do its work */
export async function selfTest(device: string): Promise<void> {
  const models = new OnnxRuntime({ device });
  await models.probe();
  const ports: Ports = {
    store: new MemoryStore(),
    models,
    images: new SharpCodec(),
    digest: nodeDigest,
    clock: systemClock,
    log: { progress: () => undefined, note: () => undefined },
    tuning: { threads: 2 },
    place: 'self-test',
  };
  await fill(ports.images, ports.store);
  const started = Date.now();
  await runAll(ports);
  const seconds = (Date.now() - started) / 1000;
  const { counts, timing } = await readJson<Receipt>(ports.store, keys.published('self-test', 'receipt.json'));
  if (counts.labelled + counts.empty !== pictures)
    throw new PermanentError(`the self-test labelled ${counts.labelled + counts.empty} of ${pictures} pictures`);
  const imagesPerSecond = Math.round((100 * pictures) / seconds) / 100;
  process.stdout.write(`${JSON.stringify({ device: models.device, pictures, imagesPerSecond, seconds: timing })}\n`);
}

/** With masks, so that evaluate has something to do too. */
async function fill(images: ImageCodec, store: ObjectStore): Promise<void> {
  for (let i = 0; i < pictures; i++) {
    const { image, classes } = scene(i + 1, { width: 96, height: 64 });
    const deflate = (bytes: Uint8Array, runs?: boolean) => images.deflate(bytes, runs);
    await store.put(`${keys.images('self-test')}${i}.jpg`, await images.encodeJpeg(image, 90));
    await store.put(`${keys.masks('self-test')}${i}.png`, await encodeIndexPng(classes, { highest: 12, deflate }));
  }
  const request = { images: keys.images('self-test'), masks: keys.masks('self-test'), clusters: 2, restarts: 1 };
  await store.put(keys.request('self-test'), toJson(request));
}

async function runAll(ports: Ports): Promise<void> {
  const queue = new MemoryQueue();
  await queue.send([JSON.stringify({ v: 1, job: 'self-test', stage: 'plan', piece: 'plan' })]);
  for (;;) {
    const [message] = await queue.receive(1, 0);
    if (!message) return;
    await runMessage(ports, { work: () => queue, control: queue }, message.body);
    await queue.delete(message.receipt);
  }
}
