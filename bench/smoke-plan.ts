/** What the smoke test on a real account does, step by step: commands alone, so that they can be looked at without an account. */

export interface SmokeSettings {
  /** Folder of JPEGs, of which the first fifty are taken. */
  readonly photos: string;
  /** The one that arrives alone. */
  readonly photo: string;
  readonly environment: string;
  /** Leave everything standing at the end. */
  readonly keep: boolean;
  /** Longest wait for the single photo's labels. */
  readonly waitSeconds: number;
  /** Name of the model. */
  readonly model: string;
  /** Folders and files of the test's own. */
  readonly chosen: string;
  readonly local: string;
  readonly pulled: string;
  readonly outputs: string;
}

export interface SmokeStep {
  readonly what: string;
  readonly command: readonly string[];
}

export interface SmokePlan {
  readonly deploy: readonly SmokeStep[];
  readonly job: (bucket: string) => { job: readonly SmokeStep[]; live: string; after: readonly SmokeStep[] };
  readonly destroy: readonly SmokeStep[];
}

export const smokeUsage = `npm run smoke:aws -- PHOTOS --yes [--env dev|staging] [--keep] [--wait SECONDS]

Deploys to the AWS account of your credentials, labels fifty JPEGs of PHOTOS there and here, one photo alone, and destroys
everything again. It costs some dollars and takes about an hour; --yes says that you know. Needs Docker for the image of the GPU
tasks. Never with prod.`;

const shaping = ['--clusters', '5', '--restarts', '3', '--name'];

export function planSmoke(settings: SmokeSettings): SmokePlan {
  const { environment, model, chosen, local, pulled, outputs } = settings;
  const cdk = (...words: string[]) => ['npx', 'cdk', ...words, '-c', `env=${environment}`];
  const selflabel = (...words: string[]) => ['node', 'dist/selflabel.mjs', ...words];
  const take = `mkdir -p "$2" && ls "$1" | grep -iE '[.]jpe?g$' | head -n 50 | while read -r f; do cp "$1/$f" "$2/"; done`;
  return {
    deploy: [
      { what: 'fifty photos', command: ['sh', '-c', take, 'sh', settings.photos, chosen] },
      { what: 'build', command: ['node', 'build.mjs'] },
      { what: 'the same job here', command: selflabel('run', chosen, '--out', local, ...shaping, model) },
      { what: 'bootstrap', command: cdk('bootstrap') },
      {
        what: 'deploy',
        command: cdk('deploy', '--all', '--require-approval', 'never', '--outputs-file', outputs),
      },
    ],
    job: bucket => ({
      job: [
        { what: 'push', command: selflabel('push', chosen, `s3://${bucket}/datasets/smoke`) },
        {
          what: 'submit',
          command: selflabel('submit', `s3://${bucket}/datasets/smoke`, '--job', 'smoke', ...shaping, model),
        },
        { what: 'watch', command: selflabel('status', `s3://${bucket}/jobs/smoke`, '--watch') },
        { what: 'pull', command: selflabel('pull', `s3://${bucket}/jobs/smoke`, '--out', pulled) },
      ],
      live: 'one photo alone',
      after: [
        { what: 'what it was estimated at', command: selflabel('estimate', '--images', '50', '--machines', '1') },
      ],
    }),
    destroy: [{ what: 'destroy', command: cdk('destroy', '--all', '--force') }],
  };
}
