/** What the machine under a task wrote down about itself when it started. */
import { readFileSync } from 'node:fs';
import { machineFile } from '#pipeline/settings';

/** @returns its type and market, `g6.xlarge spot`; nothing on any other machine */
export function readMachineFile(file: string = machineFile): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
