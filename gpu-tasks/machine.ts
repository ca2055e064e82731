/** What machine a task runs on and what an hour of it costs: for the receipt. */
import { readFileSync } from 'node:fs';
import { dollarsPerHour } from '#core/job/prices';
import { machineFile } from '#pipeline/settings';

/**
 * @param told `g6.xlarge spot`, where the building knows it beforehand; otherwise the machine wrote it down when it started
 * @returns undefined where nobody says, or the price is not in the table
 */
export function machinePrice(told: string | undefined, file: string = machineFile): number | undefined {
  const [type = '', market] = (told ?? written(file)).trim().split(' ');
  return market === 'spot' || market === 'on-demand' ? dollarsPerHour(type, market) : undefined;
}

function written(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not on a machine of ours: a laptop, a test.
    return '';
  }
}
