/** What a task knows of the price of its machine. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { prices } from '#core/job/prices';
import { machinePrice } from '../../gpu-tasks/machine.ts';
import { environmentNames, environmentOf } from '../../infra/environment.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';

it('is what the machine wrote down when it started, or what the building says', () => {
  const file = join(scratchFolder(), 'machine');
  expect(machinePrice(undefined, file)).toBeUndefined();
  writeFileSync(file, 'g5.xlarge spot\n');
  expect(machinePrice(undefined, file)).toBe(prices.instances['g5.xlarge'].spot);
  writeFileSync(file, 'g6.2xlarge on-demand\n');
  expect(machinePrice(undefined, file)).toBe(prices.larger['g6.2xlarge'].onDemand);
  expect(machinePrice('g6.xlarge spot', file)).toBe(prices.instances['g6.xlarge'].spot);
  expect(machinePrice('p9.metal spot', file)).toBeUndefined();
  expect(machinePrice('g6.xlarge sometimes', file)).toBeUndefined();
});

it.each(environmentNames)('is known for every machine that %s may start', name => {
  const { gpuInstances } = environmentOf(name, { account: '123456789012', region: 'eu-west-1' });
  for (const type of gpuInstances) {
    expect(machinePrice(`${type} spot`)).toBeGreaterThan(0);
    expect(machinePrice(`${type} on-demand`)).toBeGreaterThan(machinePrice(`${type} spot`)!);
  }
});
