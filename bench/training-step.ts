/**
 * A training step of ResNet-18 and MobileNetV2 at 112 px, batch 16, beside its own forward pass, a large MatMul, and PyTorch's
 * step where TORCH_PYTHON names a Python with torch (how to get one: training_step_torch.py). Steps and passes take turns. The step
 * is what the program executes, gradients and update, by the program's code; its forward pass runs the same way.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { fasterForms } from '#core/graph/faster-forms';
import { toModel } from '#core/graph/model';
import { matmul } from '#core/graph/ops';
import { input } from '#core/graph/tensor';
import type { Tensors, TensorValue, TrainingGraphs } from '#pipeline/ports';
import { graphsOf, stateOf } from '#pipeline/training-run';
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

/** The clocks' words on what is done. */
async function timed(what: () => Promise<unknown>): Promise<Cost> {
  const [began, used] = [performance.now(), process.cpuUsage()];
  await what();
  const { user, system } = process.cpuUsage(used);
  return { wall: (performance.now() - began) / 1000, processor: (user + system) / 1e6 };
}

/** A step as the program runs it, its state going from turn to turn; or, without updates, what the graph of the gradients gives. */
async function trained({ step, feeds }: TrainedNetwork, graphs: TrainingGraphs, updates: boolean): Promise<Contestant> {
  const runner = new OnnxRuntime();
  const trainer = await runner.train(graphs, { threads });
  await trainer.put(stateOf(step.program));
  let turn = 0;
  const run = () => {
    const batch = feeds();
    return timed(async () => {
      await trainer.gradients(batch);
      if (updates) await trainer.update({ rate: 0.01, step: ++turn });
    });
  };
  return { run, end: () => runner.close() };
}

/** The loss alone, from the same batch and the same state in the same kind of session. */
function forwardOf({ step: { program }, loss }: TrainedNetwork): TrainingGraphs {
  const [alone] = fasterForms([loss]);
  const { updates, groups } = graphsOf(program);
  const gradients = toModel({ ...program.gradients, outputs: { loss: alone! } });
  return { gradients, updates, groups: groups.map(({ reads }) => ({ reads, writes: [] })) };
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

async function largeMatMul(): Promise<Contestant> {
  const [a, b] = ['a', 'b'].map(name => input(name, 'float32', [large, large]));
  const runner = new OnnxRuntime();
  const product = toModel({ name: 'product', inputs: [a!, b!], outputs: { y: matmul(a!, b!) } });
  const model = await runner.load(product, { sessions: 1, threadsPerSession: threads });
  const data = Float32Array.from({ length: large * large }, (_, i) => Math.sin(i));
  const tensor: TensorValue = { type: 'float32', dims: [large, large], data };
  let given: Tensors = { a: tensor, b: tensor };
  const run = () =>
    timed(async () => {
      given = (await model.run(given)).feeds;
    });
  return { run, end: () => runner.close() };
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

async function measure(name: string): Promise<void> {
  const network = trainedNetwork(name);
  const { gigaflops } = network;
  const torch = pyTorch(name);
  const steps = await byTurns({
    forward: await trained(network, forwardOf(network), false),
    step: await trained(network, graphsOf(network.step.program), true),
    ...(torch && { 'torch forward': torch.forward, 'torch step': torch.step }),
  });
  // By itself: the forward pass took longer in its turn after it, which made the ratio better than it is.
  const found = { ...steps, ...(await byTurns({ product: await largeMatMul() })) };
  const both = (say: (of: (which: string) => number) => string) =>
    (['wall', 'processor'] as const).map(what => say(which => found[which]![what]));
  const rows: [string, string[]][] = [
    ['forward, ms', both(of => (1000 * of('forward')).toFixed(0))],
    ['step, ms', both(of => (1000 * of('step')).toFixed(0))],
    ['step over forward', both(of => (of('step') / of('forward')).toFixed(2))],
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
