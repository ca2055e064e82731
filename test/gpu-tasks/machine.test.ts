/** What a task knows of the price of its machine. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readMachineFile } from '#adapters/local/machine-file';
import { prices } from '#core/job/prices';
import { machinePrice } from '../../gpu-tasks/machine.ts';
import { environmentNames, environmentOf } from '../../infra/environment.ts';
import { scratchFolder } from '../contracts/scratch-folder.ts';

it('is that of the machine, as it wrote down what it is when it started', () => {
  const file = join(scratchFolder(), 'machine');
  const priceIn = (written: string) => {
    writeFileSync(file, written);
    return machinePrice(readMachineFile(file));
  };
  expect(machinePrice(readMachineFile(file))).toBeUndefined();
  expect(priceIn('g5.xlarge spot\n')).toBe(prices.instances['g5.xlarge'].spot);
  expect(priceIn('g6.2xlarge on-demand\n')).toBe(prices.larger['g6.2xlarge'].onDemand);
  expect(priceIn('p9.metal spot\n')).toBeUndefined();
  expect(priceIn('g6.xlarge sometimes\n')).toBeUndefined();
  expect(priceIn(' \n')).toBeUndefined();
});

it.each(environmentNames)('is known for every machine that %s may start', name => {
  const { gpuInstances } = environmentOf(name, { account: '123456789012', region: 'eu-west-1' });
  for (const type of gpuInstances) {
    expect(machinePrice(`${type} spot`)).toBeGreaterThan(0);
    expect(machinePrice(`${type} on-demand`)).toBeGreaterThan(machinePrice(`${type} spot`)!);
  }
});
