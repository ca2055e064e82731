/** Runs a job on this machine: the same stages as in the cloud, on a folder and an in-memory queue. */
import { clearHeap, giveHeapRoom } from '#adapters/local/heap-room';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import type { JobRequest } from '#core/job/request';
import { readState } from '#pipeline/advance';
import { collect } from '#pipeline/collect';
import { readJson, toJson } from '#pipeline/documents';
import { type Message, parseMessage } from '#pipeline/messages';
import { nearDuplicatesPiece } from '#pipeline/near-duplicates';
import type { Ports } from '#pipeline/ports';
import { type Queues, runMessage } from '#pipeline/stages';

/** Plans the request, works until nothing is left, and collects the files. Picks up where an earlier process stopped. */
export async function runLocally(ports: Ports, job: string, request: JobRequest): Promise<Plan> {
  await ports.store.put(keys.request(job), toJson(request));
  const queue = new MemoryQueue();
  const queues: Queues = { work: () => queue, control: queue };
  await runMessage(ports, queues, say({ v: 1, job, stage: 'plan', piece: 'plan' }));
  await queue.send([say({ v: 1, job, stage: 'advance', resume: true })]);
  let before: Message['stage'] = 'plan';
  for (;;) {
    const [message] = await queue.receive(1, 0);
    if (!message) break;
    const parsed = parseMessage(message.body);
    const { stage } = parsed;
    if (stage !== 'advance') {
      if (stage !== before) clearHeap();
      before = stage;
    }
    giveHeapRoom(hasPictures(parsed) ? 'pictures' : 'tables');
    await runMessage(ports, queues, message.body);
    await queue.delete(message.receipt);
  }
  const plan = await readJson<Plan>(ports.store, keys.plan(job));
  const state = await readState(ports.store, job);
  if (state?.state.stage !== 'done')
    throw new PermanentError(
      `the job stopped at ${state?.state.stage ?? 'its start'}: ${state?.state.error ?? 'run the same command again'}`,
    );
  clearHeap();
  giveHeapRoom('tables');
  await collect(ports, ports.store, plan);
  return plan;
}

const say = (message: Message): string => JSON.stringify(message);

/** Stages that read vectors and tables, not pictures. */
const withoutPictures = new Set<Message['stage']>(['plan', 'advance', 'cluster', 'publish']);

const hasPictures = (message: Message): boolean =>
  !withoutPictures.has(message.stage) && !('piece' in message && message.piece === nearDuplicatesPiece);
