/** The smoke test's commands: words that the command line and CDK know, and the environment in each that touches the account. */
import { expect, it } from 'vitest';
import { planSmoke } from '../../bench/smoke-plan.ts';

const plan = planSmoke({
  ...{ photos: '/p', photo: '/p/a.jpg', environment: 'staging', keep: false, waitSeconds: 1, model: 'smoke' },
  ...{ chosen: '/o/photos', local: '/o/local', pulled: '/o/pulled', outputs: '/o/outputs.json' },
});

it('deploys before the job, destroys after it, in the environment asked for', () => {
  const { job, after } = plan.job('bucket');
  const all = [...plan.deploy, ...job, ...after, ...plan.destroy].map(({ command }) => command.join(' '));
  const cdk = all.filter(command => command.startsWith('npx cdk '));
  expect(cdk.map(command => command.split(' ')[2])).toEqual(['bootstrap', 'deploy', 'destroy']);
  expect(cdk.every(command => command.endsWith('-c env=staging'))).toBe(true);
  expect(all.at(-1)).toBe(cdk.at(-1));
  expect(job.map(({ command }) => command[2])).toEqual(['push', 'submit', 'status', 'pull']);
  const [, , , ...shaping] = job[1]!.command;
  const local = plan.deploy.find(({ command }) => command[2] === 'run')!.command;
  expect(local.slice(-6)).toEqual(shaping.slice(-6));
});
