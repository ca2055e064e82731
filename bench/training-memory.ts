/**
 * Memory of a training step, in a process of its own per network: how much the process grew by opening the session and running
 * steps, beside what the shapes ask for: activations that the way back reads, parameters, optimizer state.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ort from 'onnxruntime-node';
import { toModel } from '#core/graph/model';
import { nodesBelow, type Tensor } from '#core/graph/tensor';
import { networks, trainedNetwork } from './training-networks.ts';

const megabyte = 2 ** 20;

const bytesOf = ({ dims }: Pick<Tensor, 'dims'>) => 4 * (dims as readonly number[]).reduce((a, b) => a * b, 1);
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/**
 * What a step must hold at once by the shapes: every activation of the forward pass that its gradients need (the inputs of
 * convolutions and normalisations, the outputs of what is bounded), the parameters, and their state before and after.
 */
function bytesByShapes(name: string): { activations: number; state: number } {
  const { step, loss } = trainedNetwork(name);
  const kept = new Set<Tensor>();
  for (const node of nodesBelow([loss])) {
    if (['Conv', 'BatchNormalization'].includes(node.op)) kept.add(node.inputs[0]!);
    if (['Relu', 'Clip', 'MaxPool', 'LogSoftmax'].includes(node.op)) kept.add(node.outputs[0]!);
  }
  return { activations: sum([...kept].map(bytesOf)), state: 2 * sum(step.state.map(bytesOf)) };
}

/** The most memory that this process has had. */
const peak = () => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);

/** Opens the session and runs some steps; the state goes from step to step. @returns bytes the process grew by at most */
async function grown(name: string): Promise<number> {
  const { step, feeds } = trainedNetwork(name);
  const model = toModel(step.model);
  const before = process.memoryUsage.rss();
  const session = await ort.InferenceSession.create(model, {
    logSeverityLevel: 3,
    enableMemPattern: false,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  let state: Record<string, ort.Tensor> = Object.fromEntries(step.state.map(({ name }) => [name, feeds[name]!]));
  let spare: typeof state = Object.fromEntries(
    step.state.map(({ name, dims, initial }) => [name, new ort.Tensor('float32', initial.slice(), dims)]),
  );
  for (let i = 0; i < 6; i++) {
    const into = Object.fromEntries(step.state.map(({ name }) => [`${name}.next`, spare[name]!]));
    await session.run({ ...feeds, ...state }, { loss: null, ...into });
    [state, spare] = [spare, state];
  }
  return peak() - before;
}

async function inOwnProcess(name: string): Promise<number> {
  const child = fork(fileURLToPath(import.meta.url), [name], { execArgv: process.execArgv });
  return new Promise((resolve, reject) => {
    child.once('message', bytes => resolve(bytes as number));
    child.once('error', reject);
  });
}

/** `npm run bench -- training-memory`. Linux only. */
export async function trainingMemory(): Promise<void> {
  console.log('| network | activations, MB | parameters and state | process grew by | ratio |');
  console.log('| --- | --- | --- | --- | --- |');
  for (const name of Object.keys(networks)) {
    const { activations, state } = bytesByShapes(name);
    const bytes = await inOwnProcess(name);
    const ratio = (bytes / (activations + state)).toFixed(2);
    const columns = [activations, state, bytes].map(value => (value / megabyte).toFixed(0));
    console.log(`| ${[name, ...columns, ratio].join(' | ')} |`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.send!(await grown(process.argv[2]!));
