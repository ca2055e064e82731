/**
 * A training step of ResNet-18 and MobileNetV2 at 112 px, batch 16, beside its own forward pass, a large MatMul, and PyTorch's
 * step where TORCH_PYTHON names a Python with torch (how to get one: training_step_torch.py). All take turns in one run.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import ort from 'onnxruntime-node';
import { type ModelParts, toModel } from '#core/graph/model';
import { matmul } from '#core/graph/ops';
import { rewrite } from '#core/graph/rewrite';
import { type InputTensor, input } from '#core/graph/tensor';
import type { TrainingStep } from '#core/graph/training-step';
import { batch, classes, networks, size, type TrainedNetwork, trainedNetwork } from './training-networks.ts';

const threads = Number(process.env.BENCH_THREADS ?? availableParallelism());
const turns = Number(process.env.BENCH_TURNS ?? 15);
const large = 1536;

/** Seconds of the clock, and of all processors: what others do on the machine hardly changes the second. */
interface Cost {
  readonly wall: number;
  readonly processor: number;
}

interface Contestant {
  run(): Promise<Cost>;
  end(): Promise<void>;
}

async function session(parts: ModelParts, feeds: TrainedNetwork['feeds']): Promise<Contestant> {
  const model = await ort.InferenceSession.create(toModel(parts), {
    logSeverityLevel: 3,
    enableMemPattern: false,
    intraOpNumThreads: threads,
    // As the program runs its own.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const names = parts.inputs.map(tensor => (tensor as InputTensor).name);
  const read = Object.fromEntries(names.map(name => [name, feeds[name]!]));
  const run = async (): Promise<Cost> => {
    const [began, used] = [performance.now(), process.cpuUsage()];
    await model.run(read);
    const { user, system } = process.cpuUsage(used);
    return { wall: (performance.now() - began) / 1000, processor: (user + system) / 1e6 };
  };
  return { run, end: () => model.release() };
}

/** PyTorch's forward pass and step, which wait for their turn in one process. */
function pyTorch(name: string): { forward: Contestant; step: Contestant } | undefined {
  const python = process.env.TORCH_PYTHON;
  if (!python) return undefined;
  const words = ['bench/training_step_torch.py', name, threads, batch, size, classes].map(String);
  const child = spawn(python, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string) as Cost;
  const ready = next();
  const ask = (what: string): Contestant => ({
    run: async () => {
      await ready;
      child.stdin.write(`${what}\n`);
      return next();
    },
    end: async () => void child.stdin.end(),
  });
  return { forward: ask('forward'), step: ask('step') };
}

function largeMatMul(): Promise<Contestant> {
  const [a, b] = ['a', 'b'].map(name => input(name, 'float32', [large, large]));
  const numbers = Float32Array.from({ length: large * large }, (_, i) => Math.sin(i));
  const tensor = new ort.Tensor('float32', numbers, [large, large]);
  return session({ name: 'product', inputs: [a!, b!], outputs: { y: matmul(a!, b!) } }, { a: tensor, b: tensor });
}

/** The median of each over all turns; the first two warm up. */
async function byTurns(contestants: Readonly<Record<string, Contestant>>): Promise<Record<string, Cost>> {
  const costs = Object.fromEntries(Object.keys(contestants).map(name => [name, [] as Cost[]]));
  for (let turn = -2; turn < turns; turn++)
    for (const [name, contestant] of Object.entries(contestants)) {
      const cost = await contestant.run();
      if (turn >= 0) costs[name]!.push(cost);
    }
  for (const contestant of Object.values(contestants)) await contestant.end();
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const pick = (all: readonly Cost[], what: keyof Cost) => median(all.map(cost => cost[what]));
  return Object.fromEntries(
    Object.entries(costs).map(([name, all]) => [name, { wall: pick(all, 'wall'), processor: pick(all, 'processor') }]),
  );
}

/** Two steps in one graph: what it would save that the state in between does not leave the session. */
function unrolled({ model, state }: TrainingStep): ModelParts {
  const next = new Map(state.map(({ name }) => [name, model.outputs[`${name}.next`]!]));
  const twice = rewrite(Object.values(model.outputs), {
    tensor: tensor => (tensor.kind === 'input' ? next.get(tensor.name) : undefined),
  });
  return { ...model, outputs: Object.fromEntries(Object.keys(model.outputs).map((name, i) => [name, twice[i]!])) };
}

async function measure(name: string): Promise<void> {
  const { forward, step, feeds, gigaflops } = trainedNetwork(name);
  const torch = pyTorch(name);
  const found = await byTurns({
    forward: await session(forward, feeds),
    step: await session(step.model, feeds),
    'two steps': await session(unrolled(step), feeds),
    product: await largeMatMul(),
    ...(torch && { 'torch forward': torch.forward, 'torch step': torch.step }),
  });
  const both = (say: (of: (which: string) => number) => string) =>
    (['wall', 'processor'] as const).map(what => say(which => found[which]![what]));
  const rows: [string, string[]][] = [
    ['forward, ms', both(of => (1000 * of('forward')).toFixed(0))],
    ['step, ms', both(of => (1000 * of('step')).toFixed(0))],
    ['step over forward', both(of => (of('step') / of('forward')).toFixed(2))],
    ['two steps in one graph over two steps', both(of => (of('two steps') / 2 / of('step')).toFixed(2))],
    ['step, GFLOP/s', both(of => (gigaflops / of('step')).toFixed(1))],
    [`MatMul ${large}³, GFLOP/s`, both(of => ((2 * large ** 3) / 1e9 / of('product')).toFixed(1))],
  ];
  if (torch)
    rows.push(
      ['PyTorch forward, ms', both(of => (1000 * of('torch forward')).toFixed(0))],
      ['PyTorch step, ms', both(of => (1000 * of('torch step')).toFixed(0))],
      ['PyTorch step over ours', both(of => (of('torch step') / of('step')).toFixed(2))],
    );
  console.log(`| ${name} | clock | processor |\n| --- | --- | --- |`);
  for (const [what, values] of rows) console.log(`| ${[what, ...values].join(' | ')} |`);
  console.log('');
}

/** `npm run bench -- training-step`: medians of BENCH_TURNS turns on BENCH_THREADS threads; BENCH_NETWORK asks for one. */
export async function trainingSteps(): Promise<void> {
  console.log(`batch ${batch} at ${size} px, ${classes} classes, ${threads} threads, medians of ${turns} turns\n`);
  for (const name of Object.keys(networks)) if (name === (process.env.BENCH_NETWORK ?? name)) await measure(name);
}
