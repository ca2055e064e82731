/** The model of a folder begins to load before most of the program is even read: its session takes longer than that. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel } from '#pipeline/load-model';
import type { ModelRunner, Tuning } from '#pipeline/ports';

/** The runner as it is, but the first loading of this model has begun already. A folder without a usable model: nothing begins. */
export function headStart(models: ModelRunner, folder: string, tuning: Tuning): ModelRunner {
  let begun: { bytes: Uint8Array; loading: ReturnType<ModelRunner['load']> } | undefined;
  const first: ModelRunner = {
    device: models.device,
    load(bytes, options) {
      begun = { bytes, loading: models.load(bytes, options) };
      begun.loading.catch(() => undefined);
      return begun.loading;
    },
  };
  try {
    loadModel({ models: first, tuning }, readFileSync(join(folder, 'model.onnx'))).catch(() => undefined);
  } catch {
    // Whoever loads it in earnest says what is wrong.
  }
  return {
    device: models.device,
    load(bytes, options) {
      const early = begun;
      begun = undefined;
      return early && Buffer.compare(early.bytes, bytes) === 0 ? early.loading : models.load(bytes, options);
    },
  };
}
