/** What an hour of the machine under a task costs: for the receipt. */
import { dollarsPerHour } from '#core/job/prices';

/**
 * @param machine its type and market, `g6.xlarge spot`
 * @returns undefined where nobody says, or the price is not in the table
 */
export function machinePrice(machine: string): number | undefined {
  const [type = '', market] = machine.split(' ');
  return market === 'spot' || market === 'on-demand' ? dollarsPerHour(type, market) : undefined;
}
