/** Where the real networks and photos lie, and how a measurement runs the program on them. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type RunOptions, run } from '../cli/run.ts';
import type { RunSummary } from '../cli/run-summary.ts';

export const dataFolder = resolve(process.env.SELFLABEL_DATA ?? '../shared/data');

export const mobilenet = `${dataFolder}/models/mobilenetv2-1.0-features.onnx`;

/** @throws Error if the folder is not there: a measurement cannot be skipped */
export function requireData(): void {
  if (!existsSync(dataFolder)) throw new Error(`no test data at ${dataFolder}; set SELFLABEL_DATA`);
}

export const runOn = (images: string, out: string, options: Partial<RunOptions> = {}): Promise<RunSummary> =>
  run(images, { backbone: mobilenet, name: 'bench', out, ...options });

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;

export const three = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toFixed(3);
