/** What `selflabel doctor` says to people. */
import { basename } from 'node:path';
import type { DenseTensor } from '#core/graph/dense-tensors';
import type { Examination } from '#pipeline/examine-backbone';
import { textTable } from './text-table.ts';

/** Where the findings come from and where they went. */
export interface DoctorFiles {
  readonly file: string;
  /** With the data beside it. */
  readonly bytes: number;
  /** Settings that were there before. */
  readonly settings: string | undefined;
  /** The settings written; undefined where there were some. */
  readonly written: string | undefined;
  /** A file of an earlier check that was not written over, although it is not beside the model. */
  readonly spared: string | undefined;
  readonly picture: string;
  /** As the user called it. */
  readonly photo: string;
  readonly cores: number;
}

/** Features too coarse for small things. */
const fewPositions = 10;

/** The newest format that ONNX Runtime itself opens; ours are older. */
const newestIr = 13;

export function doctorText(found: Examination, files: DoctorFiles): string {
  const rows = [
    ['model', sayModel(found, files)],
    ['image', sayImage(found)],
    ['numbers', sayNumbers(found, files)],
    ['features', sayFeatures(found.settings.deep)],
    ['', `chosen: ${found.settings.reason}`],
    [
      'finer',
      found.settings.fine ? sayFeatures(found.settings.fine) : 'none; the foreground is found with the features alone',
    ],
    ['speed', saySpeed(found, files)],
    ['picture', `${files.picture} (photo; its first three principal components over it, and on their grid)`],
    ['settings', saySettings(files)],
  ];
  const notes = notesOn(found, files).map(note => `note: ${note}\n`);
  const again = `selflabel run PHOTOS --out RESULT --backbone ${files.file}`;
  return [textTable(rows), '\n', tableOf(found), '\n', ...notes, `ready: ${again}\n`].join('');
}

function sayModel({ format: { opset, irVersion, producer } }: Examination, { file, bytes }: DoctorFiles): string {
  const size = bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return `${file}: ${[size, `opset ${opset}`, `IR ${irVersion}`, ...(producer ? [`by ${producer}`] : [])].join(', ')}`;
}

function sayImage({ image, settings: { fixed, batch } }: Examination): string {
  const sizes = fixed ? `only ${fixed.height} × ${fixed.width} (height × width)` : 'any height and width';
  const many = batch ? 'one image at a time' : 'any batch';
  return `${image.name} ${image.type} ${image.layout} [${image.dims.join(', ')}]: ${sizes}, ${many}`;
}

function sayNumbers({ settings }: Examination, { settings: file }: DoctorFiles): string {
  const { channelOrder, scale, mean, deviation, type } = settings;
  const source = file ? `from ${file}` : 'assumed';
  if (type === 'uint8') return `${channelOrder}, bytes as they are (${source})`;
  const inverse = 1 / scale;
  const factor =
    scale === 1
      ? 'value'
      : Number.isInteger(Math.round(inverse * 1e6) / 1e6)
        ? `value / ${Math.round(inverse)}`
        : `value · ${scale}`;
  return `${channelOrder}, (${factor} − ${say(mean)}) / ${say(deviation)} (${source})`;
}

const say = (values: readonly number[]) =>
  values.every(value => value === values[0]) ? String(values[0]) : `[${values.join(', ')}]`;

function sayFeatures({ name, channels, stride, layout, prefix, suffix, grid }: DenseTensor): string {
  const where = grid ? `${grid.height} × ${grid.width} positions` : `stride ${stride}`;
  const extra = prefix + suffix;
  const others = extra === 1 ? ' without the one that is no patch' : ` without the ${extra} that are no patches`;
  const tokens = layout.includes('T') ? `, tokens folded into a map${extra ? others : ''}` : '';
  return `"${name}": ${channels} channels, ${where}${tokens}`;
}

function saySpeed(
  { milliseconds, grid, photo: { width, height } }: Examination,
  { photo, cores }: DoctorFiles,
): string {
  const rate = (cores * 1000) / Math.max(milliseconds, 0.01);
  const rounded = rate >= 10 ? Math.round(rate) : Number(rate.toPrecision(2));
  return (
    `${milliseconds.toFixed(0)} ms for ${basename(photo)} at ${width} × ${height} on one core, ` +
    `so about ${rounded} images a second on ${cores}; gives ${grid.width} × ${grid.height} positions`
  );
}

function saySettings({ settings, written, spared }: DoctorFiles): string {
  if (written) return `written to ${written}; correct there what was only assumed`;
  return settings ? `those in ${settings}, left as they are` : `not written: ${spared} is there already`;
}

function notesOn({ settings, format, grid, misspelt }: Examination, { settings: file }: DoctorFiles): string[] {
  const { fixed, type } = settings;
  const notes = [];
  if (misspelt.length > 0) notes.push(`${file} has keys that are not known and say nothing: ${misspelt.join(', ')}`);
  if (!file && type !== 'uint8')
    notes.push(
      'nothing beside the model says how it wants its numbers: those of ImageNet networks are assumed; where it was trained otherwise, results suffer silently',
    );
  if (fixed)
    notes.push(
      `every image is resized to ${fixed.height} × ${fixed.width} inside the graph; for finer maps export it with free height and width (a transformer: with position embeddings that are interpolated)`,
    );
  if (Math.min(grid.height, grid.width) < fewPositions && settings.fine === undefined)
    notes.push(`${grid.width} × ${grid.height} positions are coarse: small objects get lost`);
  if (format.irVersion > newestIr)
    notes.push(
      `the file's format (IR ${format.irVersion}) is newer than what ONNX Runtime opens (${newestIr}); it is read here, and what selflabel writes is older`,
    );
  return notes;
}

function tableOf({ candidates, dense, settings }: Examination): string {
  const mark = (name: string) =>
    name === settings.deep.name ? 'features' : name === settings.fine?.name ? 'finer' : '';
  const rows = candidates.map(one => [
    one.name,
    String(one.channels),
    one.grid ? `${one.grid.height}×${one.grid.width}` : String(one.stride),
    one.layout,
    one.declared ? 'output' : 'inside',
    mark(one.name),
  ]);
  const head = ['dense tensor', 'channels', settings.fixed ? 'positions' : 'stride', 'axes', '', ''];
  const rest = dense - candidates.length;
  const more = rest > 0 ? `and ${rest} more between them\n` : '';
  return textTable([head, ...rows], ['left', 'right', 'right']) + more;
}
