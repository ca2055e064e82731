/** An attention file from elsewhere: whether it is one, and whether it belongs to the backbone of this run. */
import { backboneHashName, mapOrder } from '#core/attention/pixel-attention';
import { PermanentError } from '#core/errors';
import { type ImportedModel, importModel } from '#core/graph/import';
import type { SettledRun } from '#core/job/request';
import { backboneSha } from './backbone.ts';
import { naming, readObject } from './documents.ts';
import type { Ports } from './ports.ts';

export interface GivenAttention {
  /** As people name it. */
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly model: ImportedModel;
}

/** @throws PermanentError if it is no attention file, or was fitted to another backbone */
export async function givenAttention(ports: Ports, run: SettledRun): Promise<GivenAttention> {
  const bytes = await readObject(ports.store, run.attention);
  const file = nameOf(run.attention);
  const model = naming(run.attention, () => importModel(bytes));
  assertAttention(file, model, run.unit);
  const fitted = model.metadata.get(backboneHashName);
  // A file that was made by other means may say nothing.
  if (fitted !== undefined) assertSame(file, fitted, nameOf(run.backbone), await backboneSha(ports, run));
  return { file, bytes, model };
}

const nameOf = (key: string) => key.replace('backbones/', '');

function assertAttention(file: string, model: ImportedModel, unit: SettledRun['unit']): void {
  const outputs = new Set(model.outputs.map(({ name }) => name));
  const needed = unit === 'image' ? ['foreground', 'embedding', 'pooled'] : ['foreground', 'embedding'];
  const missing = needed.filter(name => !outputs.has(name));
  const strange = model.inputs.filter(({ name }) => !mapOrder.includes(name as (typeof mapOrder)[number]));
  if (missing.length === 0 && strange.length === 0) return;
  throw new PermanentError(
    `${file} is no attention file for --unit ${unit}: it must take ${mapOrder.join(', ')} and give ${needed.join(', ')}; use the attention.onnx of a run with this backbone and unit`,
  );
}

function assertSame(file: string, fitted: string, backbone: string, here: string): void {
  if (fitted === here) return;
  const short = (sha: string) => sha.slice(0, 12);
  throw new PermanentError(
    `${file} was fitted to another backbone than ${backbone} (SHA-256 ${short(fitted)}… there, ${short(here)}… here); give the one it was fitted to, which is the backbone.onnx beside it where there is one, or fit it anew (selflabel train attend)`,
  );
}
