/** `npm run bench -- NAME…`: measurements that print ratios; their results stand in RESULTS.md. */
import { rmSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

const benches: Record<string, () => Promise<void>> = {
  quality: async () => (await import('./quality.ts')).quality(),
  scales: async () => (await import('./quality.ts')).scales(),
  clusters: async () => (await import('./clusters.ts')).clusters(),
  auto: async () => (await import('./auto.ts')).auto(),
  sample: async () => (await import('./sample.ts')).sample(),
  throughput: async () => (await import('./throughput.ts')).throughput(),
  kmeans: async () => (await import('./kmeans.ts')).kmeans(),
  'kmeans-faiss': async () => (await import('./kmeans-faiss.ts')).kmeansFaiss(),
  decoding: async () => (await import('./decoding.ts')).decoding(),
  size: async () => (await import('./size.ts')).size(),
  state: async () => (await import('./state.ts')).state(),
  evaluate: async () => (await import('./evaluate.ts')).evaluate(),
  'evaluate-files': async () => (await import('./evaluate-files.ts')).evaluateFiles(),
  serve: async () => (await import('./serve.ts')).serve(),
  convolution: async () => (await import('./convolution.ts')).convolution(),
  'cost-page': async () => (await import('./cost-page.ts')).writeCostPage(),
  protocols: async () => (await import('./protocols.ts')).protocols(),
  scale: async () => (await import('./scale.ts')).scale(),
  attention: async () => (await import('./attention.ts')).attention(),
  finetune: async () => (await import('./finetune.ts')).finetune(),
  'training-memory': async () => (await import('./training-memory.ts')).trainingMemory(),
  'training-step': async () => (await import('./training-step.ts')).trainingSteps(),
};

const asked = process.argv.slice(2);
const unknown = asked.filter(name => !(name in benches));
if (unknown.length) {
  console.error(`no such measurement: ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else {
  console.log(`${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}`);
  for (const name of asked.length ? asked : Object.keys(benches)) {
    console.log(`\n## ${name}\n`);
    rmSync(`.bench/${name}`, { recursive: true, force: true });
    await benches[name]!();
  }
}
