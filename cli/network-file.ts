/** A network on a laptop's disk: the model with the weights that lie beside it, and its settings. */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { settingsEntry } from '#core/backbone/entry';
import { misspeltKeys } from '#core/backbone/misspelt-keys';
import { PermanentError } from '#core/errors';
import { withExternalData } from '#core/graph/external-data';
import { readIfThere } from './workplace.ts';

export interface NetworkFile {
  /** The whole model in one piece. */
  readonly bytes: Uint8Array;
  /** Undefined where there are none. */
  readonly settings: { readonly json: unknown; readonly file: string } | undefined;
}

/** @throws PermanentError if the model, its data or its settings cannot be read */
export function readNetwork(file: string, read: (file: string) => Uint8Array = readWhole): NetworkFile {
  const model = read(file);
  return { bytes: inOnePiece(file, model), settings: settingsBeside(file) };
}

function inOnePiece(file: string, model: Uint8Array): Uint8Array {
  try {
    return withExternalData(model, location => readWhole(besideModel(file, location)));
  } catch (error) {
    if (!(error instanceof PermanentError) || error.message.startsWith(file)) throw error;
    throw new PermanentError(`${file}: ${error.message}`, { cause: error });
  }
}

/** Whether a path lies in a folder, links followed. */
const liesIn = (folder: string, path: string) =>
  !relative(folder, path).startsWith('..') && !relative(folder, path).startsWith(sep);

/** A data file of the model, which a link must not lead away from the folder of the model or of what its name links to. */
function besideModel(file: string, location: string): string {
  const path = join(dirname(file), location);
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    throw new PermanentError(
      `${file} keeps its weights in ${location}, which is not beside it; copy both into one folder`,
    );
  }
  const folders = [realpathSync(dirname(resolve(file))), dirname(realpathSync(file))];
  if (folders.some(folder => liesIn(folder, real))) return path;
  throw new PermanentError(
    `${file} keeps its weights in ${location}, a link out of its folder; copy both into one folder`,
  );
}

function readWhole(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new PermanentError(`${file} does not exist; give the file of the network`);
    if (code === 'EISDIR') throw new PermanentError(`${file} is a folder; give the .onnx file in it`);
    if (code === 'EACCES') throw new PermanentError(`${file} may not be read; change its permissions`);
    if (code === 'ERR_FS_FILE_TOO_LARGE')
      throw new PermanentError(
        `${file} is larger than 2 GB, the limit of an ONNX file; take a smaller network, or float16 weights`,
      );
    throw new PermanentError(`${file} cannot be read: ${message}`);
  }
}

/** `network.onnx` → `network.json`; whatever the extension, nothing is taken for its own settings. */
export const settingsFileOf = (file: string): string => join(dirname(file), `${basename(file, extname(file))}.json`);

/**
 * `<stem>.json` beside the network, else its entry in `models.json` beside it.
 * @throws PermanentError if they are no JSON, or the network's own file says nothing of it
 */
function settingsBeside(file: string): NetworkFile['settings'] {
  for (const candidate of [settingsFileOf(file), join(dirname(file), 'models.json')]) {
    const bytes = readIfThere(candidate);
    if (!bytes) continue;
    const json = settingsEntry(parseSettings(bytes, file, candidate), basename(file));
    if (json !== undefined) return { json, file: candidate };
    if (candidate === settingsFileOf(file))
      throw new PermanentError(
        `the settings beside ${file} are a list without an entry {"file": "${basename(file)}"}; give one object in ${candidate}, or remove it`,
      );
  }
  return undefined;
}

/** Tells of settings that say nothing and were probably meant to, for commands that go on all the same. */
export function noteMisspelt(settings: NetworkFile['settings']): void {
  const keys = misspeltKeys(settings?.json);
  if (keys.length > 0)
    process.stderr.write(`note: ${settings?.file} has keys that are not known and say nothing: ${keys.join(', ')}\n`);
}

function parseSettings(bytes: Uint8Array, file: string, settings: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new PermanentError(
      `the settings beside ${file} are no JSON: ${(cause as Error).message.replace(/\s+/g, ' ')}; correct ${settings} or remove it`,
    );
  }
}
