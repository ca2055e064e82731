/** `npm run smoke:aws`: on an AWS account of yours, deploy, label fifty photos and one that arrives alone, compare with this machine, destroy. It costs money. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { S3Store } from '#adapters/aws/s3-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { planSmoke, type SmokeSettings, type SmokeStep, smokeUsage } from './smoke-plan.ts';

/** The stack's outputs, as `cdk deploy --outputs-file` writes them. */
function bucketOf(outputsFile: string): string {
  const stacks = JSON.parse(readFileSync(outputsFile, 'utf8')) as Record<string, Record<string, string>>;
  const values = Object.values(stacks).flatMap(outputs => Object.entries(outputs));
  const [, bucket] = values.find(([name]) => name === 'Bucket') ?? [];
  if (!bucket) throw new Error(`${outputsFile} names no bucket; was the pipeline's stack deployed?`);
  return bucket.replace('s3://', '');
}

function run(step: SmokeStep): void {
  const started = Date.now();
  console.log(`\n== ${step.what}\n$ ${step.command.join(' ')}`);
  const { status } = spawnSync(step.command[0]!, step.command.slice(1), { stdio: 'inherit' });
  console.log(`   ${((Date.now() - started) / 1000).toFixed(0)} s`);
  if (status !== 0) throw new Error(`${step.what} ended with ${status}`);
}

/** Digests of the files of which `run` and the cloud must make the same. */
function digests(folder: string): Map<string, string> {
  const wanted = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
    /^(labels\/|clusters\.csv|classes\.json)/.test(name),
  );
  const files = wanted.filter(name => statSync(join(folder, name)).isFile());
  return new Map(files.map(name => [name, nodeDigest.sha256(readFileSync(join(folder, name)))]));
}

/** A GPU rounds differently from this processor: how many files differ is told, not asserted. */
function compare(local: string, pulled: string): void {
  const [here, there] = [digests(local), digests(pulled)];
  const missing = [...here.keys()].filter(name => !there.has(name));
  const differing = [...here].filter(([name, digest]) => there.has(name) && there.get(name) !== digest);
  console.log(`${here.size} files here, ${there.size} pulled, ${missing.length} missing, ${differing.length} differ`);
  if (missing.length) throw new Error(`missing after pull: ${missing.slice(0, 3).join(', ')}`);
}

/** One photo by itself, and its label map when it is there. */
async function labelLive(bucket: string, { photo, model, waitSeconds }: SmokeSettings): Promise<void> {
  const store = new S3Store({ bucket });
  const name = `smoke-${Date.now()}`;
  const started = Date.now();
  await store.put(`live/${model}/${name}.jpg`, readFileSync(photo));
  while (Date.now() - started < waitSeconds * 1000) {
    if (await store.head(`labels/${model}/${name}.png`)) {
      console.log(`the single photo took ${((Date.now() - started) / 1000).toFixed(0)} s`);
      return;
    }
    await new Promise(resolved => setTimeout(resolved, 5000));
  }
  throw new Error(`no label map of the single photo after ${waitSeconds} s`);
}

const usage = smokeUsage;

async function smoke(settings: SmokeSettings): Promise<void> {
  const steps = planSmoke(settings);
  const started = Date.now();
  try {
    steps.deploy.forEach(run);
    const bucket = bucketOf(settings.outputs);
    const { job, live, after } = steps.job(bucket);
    job.forEach(run);
    compare(settings.local, settings.pulled);
    console.log(`\n== ${live}`);
    await labelLive(bucket, settings);
    after.forEach(run);
    console.log(readFileSync(join(settings.pulled, 'receipt.json'), 'utf8').match(/"timing": \{[^}]*\}/)?.[0]);
  } finally {
    if (!settings.keep) steps.destroy.forEach(run);
    console.log(`\n${((Date.now() - started) / 60_000).toFixed(0)} minutes in all`);
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    yes: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    env: { type: 'string', default: 'dev' },
    wait: { type: 'string', default: '1800' },
  },
});
const [photos] = positionals;
const names = photos && existsSync(photos) ? readdirSync(photos).filter(name => /\.jpe?g$/i.test(name)) : [];
const waitSeconds = Number(values.wait);
if (!photos || names.length < 50 || values.env === 'prod' || !(waitSeconds > 0) || !values.yes) {
  console.error(usage);
  process.exitCode = 2;
} else {
  const out = resolve('.bench/smoke-aws');
  await smoke({
    photos: resolve(photos),
    photo: resolve(photos, names[0]!),
    environment: values.env,
    keep: values.keep,
    waitSeconds,
    model: 'smoke',
    chosen: join(out, 'photos'),
    local: join(out, 'local'),
    pulled: join(out, 'pulled'),
    outputs: join(out, 'outputs.json'),
  });
}
