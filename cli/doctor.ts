/** `selflabel doctor`: whether a network can be used, as what, and what to do if it cannot. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PermanentError, RejectedInput } from '#core/errors';
import { type ModelSizeRule, modelSize } from '#core/image/model-input';
import type { RgbImage } from '#core/image/rgb-image';
import { scene } from '#core/scenes/scene';
import { type Examination, examineBackbone } from '#pipeline/examine-backbone';
import type { ImageCodec } from '#pipeline/ports';
import { type DoctorFiles, doctorText } from './doctor-text.ts';
import { type NetworkFile, readNetwork, settingsFileOf } from './network-file.ts';

interface DoctorOptions {
  readonly image?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const more = `
Says which tensor of the network run would take as features and why, what image it wants,
how fast it is here, and draws the features of a photo. Writes NETWORK.json beside the model
(never over one that is there) and NETWORK.features.png. Exits with 1 where run would fail.

  selflabel doctor dinov2.onnx --image dog.jpg

How to export DINOv2, DINOv3, SwAV, PASS and timm networks, and what NETWORK.json can say:
docs/backbones.md`;

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check a network: its features, its speed, a picture of what it sees')
    .argument('<file>', 'network from image to feature map or tokens (.onnx)')
    .option('--image <file>', 'photo to look at (default: a generated scene)')
    .option('--out <dir>', 'where the settings and the picture go (default: beside the network)')
    .option('--json', 'print the findings as one JSON line on stdout')
    .addHelpText('after', more)
    .action(async (file: string, options: DoctorOptions) => {
      const { found, files } = await doctor(file, options);
      process.stdout.write(options.json ? `${JSON.stringify(summary(found, files))}\n` : doctorText(found, files));
    });
}

async function doctor(
  file: string,
  { image, out = dirname(file) }: DoctorOptions,
): Promise<{ found: Examination; files: DoctorFiles }> {
  const network = readNetwork(file);
  const images = new SharpCodec();
  const models = new OnnxRuntime();
  try {
    const { bytes, settings } = network;
    const named = { name: file, file: basename(file), bytes, json: settings?.json };
    const found = await examineBackbone({ models, images, clock: systemClock }, named, rule =>
      readPhoto(images, image, rule),
    );
    const photo = image ?? 'a generated scene';
    const cores = availableParallelism();
    const files = {
      file,
      bytes: bytes.length,
      cores,
      photo,
      ...write(file, out, network, found),
    };
    return { found, files };
  } finally {
    await models.close();
  }
}

/** At the size at which `run` looks at it. @throws PermanentError if it cannot be read */
async function readPhoto(images: ImageCodec, file: string | undefined, rule: ModelSizeRule): Promise<RgbImage> {
  if (file === undefined) return scene(1, modelSize({ width: 4, height: 3 }, rule)).image;
  try {
    const { image } = await images.decode(readFileSync(file), shown => modelSize(shown, rule));
    return image;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (missing) throw new PermanentError(`${file} does not exist; give a photo for --image`);
    if (!(cause instanceof RejectedInput)) throw cause;
    throw new PermanentError(`${file}: ${cause.message}; give another photo for --image`);
  }
}

/** The picture always, the settings only where there are none. */
function write(file: string, out: string, { settings }: NetworkFile, { picture, entry }: Examination) {
  prepareFolder(out);
  const drawn = join(out, `${basename(file, extname(file))}.features.png`);
  writeFileSync(drawn, picture);
  if (settings) return { settings: settings.file, written: undefined, spared: undefined, picture: drawn };
  const target = join(out, basename(settingsFileOf(file)));
  if (existsSync(target)) return { settings: undefined, written: undefined, spared: target, picture: drawn };
  writeFileSync(target, `${JSON.stringify(entry, null, 2)}\n`, { flag: 'wx' });
  return { settings: undefined, written: target, spared: undefined, picture: drawn };
}

function prepareFolder(out: string): void {
  try {
    mkdirSync(out, { recursive: true });
    accessSync(out, constants.W_OK);
  } catch (cause) {
    throw new PermanentError(
      `${out} cannot be written to (${(cause as NodeJS.ErrnoException).code}); give a folder for --out`,
      { cause },
    );
  }
}

/** What `--json` prints. */
function summary(found: Examination, { file, bytes, settings, written, picture, photo }: DoctorFiles) {
  const { format, image, settings: used, milliseconds, grid } = found;
  return {
    file,
    bytes,
    ...format,
    input: {
      name: image.name,
      type: image.type,
      shape: image.dims,
      layout: image.layout,
      fixed: used.fixed ?? null,
      batch: used.batch ?? null,
    },
    scaling: { channelOrder: used.channelOrder, scale: used.scale, mean: used.mean, std: used.deviation },
    features: used.deep,
    reason: used.reason,
    fine: used.fine ?? null,
    candidates: found.candidates,
    denseTensors: found.dense,
    photo: { name: photo, ...found.photo, positions: grid },
    millisecondsPerImage: milliseconds,
    picture,
    settings: settings ?? null,
    misspelt: found.misspelt,
    written: written ?? null,
  };
}
