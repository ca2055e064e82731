/**
 * Memory of a training step, in a process of its own per network: how much the process grew by loading the graphs as the program
 * does, making a state and running steps, beside what the shapes ask for: activations that the way back reads, parameters,
 * optimizer state.
 */
import { fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { type ModelParts, toModel } from '#core/graph/model';
import { relu } from '#core/graph/ops';
import { input, nodesBelow, type Tensor } from '#core/graph/tensor';
import { graphsOf, stateOf } from '#pipeline/training-run';
import { networks, trainedNetwork } from './training-networks.ts';

const megabyte = 2 ** 20;

const bytesOf = ({ dims }: Pick<Tensor, 'dims'>) => 4 * (dims as readonly number[]).reduce((a, b) => a * b, 1);
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** What a step must hold at once by the shapes. */
interface BytesByShapes {
  /** Every one of the forward pass that gradients need: the inputs of convolutions and normalisations, the outputs of what is bounded. */
  readonly activations: number;
  /** Parameters, running statistics, what the optimizer keeps. */
  readonly state: number;
  readonly gradients: number;
}

function bytesByShapes(name: string): BytesByShapes {
  const { step, loss } = trainedNetwork(name);
  const kept = new Set<Tensor>();
  for (const node of nodesBelow([loss])) {
    if (['Conv', 'BatchNormalization'].includes(node.op)) kept.add(node.inputs[0]!);
    if (['Relu', 'Clip', 'MaxPool', 'Exp'].includes(node.op)) kept.add(node.outputs[0]!);
  }
  const values = step.program.groups.flatMap(({ buffers, update }) => (update ? buffers[0]! : []));
  return {
    activations: sum([...kept].map(bytesOf)),
    state: sum(step.state.map(bytesOf)),
    gradients: sum(values.map(bytesOf)),
  };
}

const status = (line: string) =>
  1024 * Number(new RegExp(`${line}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1]);

/** The most memory that this process has had since the last call. */
function peak(): number {
  const bytes = status('VmHWM');
  writeFileSync('/proc/self/clear_refs', '5');
  return bytes;
}

/** Bytes that the process had grown by at most, from a network that is built on. */
interface Growth {
  /** A session's thread and the runtime's library, with a graph of one node. */
  readonly empty: number;
  readonly loading: number;
  readonly steps: number;
}

const one = input('x', 'float32', [1]);
const nothing: ModelParts = { name: 'nothing', inputs: [one], outputs: { y: relu(one) } };

const steps = 8;

/** Loads the step as the program does and runs it; the state goes from step to step. */
async function growth(name: string): Promise<Growth> {
  const { step, feeds } = trainedNetwork(name);
  const { program } = step;
  const graphs = graphsOf(program);
  // What building the network left behind would otherwise serve the step.
  globalThis.gc!();
  const before = status('VmRSS');
  peak();
  const runner = new OnnxRuntime();
  const idle = { gradients: toModel(nothing), updates: [], groups: [] };
  // Its thread serves the step after it.
  await (await runner.train(idle, { threads: 2 })).release();
  const empty = peak() - before;
  const trainer = await runner.train(graphs, { threads: 2 });
  const loading = peak() - before;
  await trainer.put(stateOf(program));
  for (let step = 1; step <= steps; step++) {
    await trainer.gradients(feeds());
    await trainer.update({ rate: 0.01, step });
  }
  const grown = { empty, loading, steps: peak() - before };
  await runner.close();
  return grown;
}

async function inOwnProcess(name: string): Promise<Growth> {
  const child = fork(fileURLToPath(import.meta.url), [name], { execArgv: [...process.execArgv, '--expose-gc'] });
  return new Promise((resolve, reject) => {
    child.once('message', bytes => resolve(bytes as Growth));
    child.once('error', reject);
  });
}

/** `npm run bench -- training-memory`. Linux only. */
export async function trainingMemory(): Promise<void> {
  const columns = [
    'network',
    'activations, MB',
    'parameters and optimizer state',
    'gradients',
    'an empty session',
    'grew by, loading',
    'grew by, in steps',
    'beyond an empty session',
    'of activations, parameters, state',
    'and gradients',
  ];
  for (const row of [columns, columns.map(() => '---')]) console.log(`| ${row.join(' | ')} |`);
  for (const name of Object.keys(networks)) {
    const { activations, state, gradients } = bytesByShapes(name);
    const { empty, loading, steps } = await inOwnProcess(name);
    const own = steps - empty;
    const sizes = [activations, state, gradients, empty, loading, steps, own];
    const ratios = [activations + state, activations + state + gradients].map(needed => (own / needed).toFixed(2));
    console.log(`| ${[name, ...sizes.map(size => (size / megabyte).toFixed(0)), ...ratios].join(' | ')} |`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.send!(await growth(process.argv[2]!));
