/** Door: one task on ECS. Takes the messages of its stage from their queue until it is told to stop. `--self-test`: runs every stage once and ends. */
import { availableParallelism } from 'node:os';
import { S3Store } from '#adapters/aws/s3-store';
import { SqsQueue } from '#adapters/aws/sqs-queue';
import { StructuredLog } from '#adapters/aws/structured-log';
import { readMachineFile } from '#adapters/local/machine-file';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PixelThreads } from '#adapters/threads/pixel-threads';
import { stages } from '#core/job/stage';
import type { Ports } from '#pipeline/ports';
import type { Queues } from '#pipeline/queues';
import { readTaskSettings, type TaskSettings, taskStopSeconds } from '#pipeline/settings';
import { machinePrice } from './machine.ts';
import { pieceWork } from './piece-work.ts';
import { selfTest } from './self-test.ts';
import { taskProtection } from './task-protection.ts';
import { Worker } from './worker.ts';

/** As long as SQS lets one wait. */
const pollSeconds = 20;
/** Kept of the time between SIGTERM and SIGKILL for ending in order. */
const reserveSeconds = 10;

async function openPorts(settings: TaskSettings, log: StructuredLog): Promise<Ports> {
  const models = new OnnxRuntime({ device: settings.device });
  await models.probe();
  const threads = settings.threads ?? availableParallelism();
  const dollarsPerHour = machinePrice(settings.machine ?? readMachineFile());
  return {
    store: new S3Store({ bucket: settings.bucket }),
    models,
    images: new SharpCodec(),
    pixels: new PixelThreads(threads),
    digest: nodeDigest,
    clock: systemClock,
    log,
    tuning: { threads, sliceSeconds: settings.sliceSeconds },
    ...(dollarsPerHour !== undefined && { dollarsPerHour }),
    place: `s3://${settings.bucket}`,
  };
}

async function serve(): Promise<void> {
  const settings = readTaskSettings(process.env);
  const { task, environment, device } = settings;
  const log = new StructuredLog({ task, environment });
  const ports = await openPorts(settings, log);
  const work = new Map(stages.map(stage => [stage, new SqsQueue({ url: settings.workQueues[stage] })]));
  const queues: Queues = {
    work: stage => work.get(stage)!,
    control: new SqsQueue({ url: settings.controlQueue }),
  };
  const url = task === 'live' ? settings.liveQueue : settings.workQueues[task];
  const worker = new Worker({
    queue: new SqsQueue({ url, visibilitySeconds: settings.visibilitySeconds }),
    visibilitySeconds: settings.visibilitySeconds,
    pollSeconds,
    ...pieceWork({ ports, queues, log, task, environment }),
    protect: taskProtection(process.env.ECS_AGENT_URI, log),
  });
  process.once('SIGTERM', () => {
    log.say({ note: 'SIGTERM: handing back' });
    worker.stop();
    setTimeout(() => process.exit(1), (taskStopSeconds - reserveSeconds) * 1000).unref();
  });
  log.say({ note: 'ready', device, threads: ports.tuning.threads, dollarsPerHour: ports.dollarsPerHour });
  await worker.run();
  log.say({ note: 'stopped' });
}

try {
  const [, , argument, device] = process.argv;
  if (argument === '--self-test') await selfTest(device ?? process.env.SELFLABEL_DEVICE ?? 'cpu');
  else await serve();
  // A model that still runs for a message that was handed back must not hold the process.
  process.exit(0);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: (error as Error).message })}\n`);
  process.exit(1);
}
