/** Exports: the label maps of a finished run, under the names people gave, in the formats of other tools. */
import { PermanentError } from '#core/errors';
import type { ExportFile, LabelledImage } from '#core/formats/exporter';
import { type ExportFormat, exporters, exportFormats } from '#core/formats/exporters';
import { applyClasses, type ClassMap, classLookup, keptClasses } from '#core/labels/class-map';
import { mapInOrder } from './in-flight.ts';
import { listFolderImages, readClasses, readConfidences, readLabelMaps, readModelName } from './labelled-folder.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { PrefixStore } from './prefix-store.ts';

export interface ExportSummary {
  readonly format: ExportFormat;
  readonly images: number;
  /** Classes that are not ignored. */
  readonly classes: number;
  readonly files: number;
  readonly bytes: number;
}

/** Files being written at once: a disk or bucket answers slower than it takes. */
const putsAtOnce = 16;

type ExportPorts = Pick<Ports, 'images' | 'log'>;

async function* labelledImages(ports: ExportPorts, source: ObjectStore, classes: ClassMap, format: string) {
  const images = await listFolderImages(source);
  const confidences = await readConfidences(source);
  const lookup = classLookup(classes);
  let done = 0;
  for await (const { image, path, map } of readLabelMaps(ports, source, images)) {
    const labelled: LabelledImage = {
      image,
      name: path.slice(0, -'.png'.length),
      map: applyClasses(map, classes, lookup, `labels/${path}`),
      confidence: confidences.get(image),
    };
    yield labelled;
    ports.log.progress(`export ${format}`, '', ++done, images.length);
  }
}

/** Writes a file unless it is there already, as most are when a name was changed. @returns its size */
async function putChanged(target: ObjectStore, { key, bytes }: ExportFile): Promise<number> {
  const present = await target.get(key);
  const same = present?.length === bytes.length && present.every((byte, i) => byte === bytes[i]);
  if (!same) await target.put(key, bytes);
  return bytes.length;
}

/**
 * Writes one export.
 * @param source the folder of a finished run: `receipt.json`, `classes.json`, `labels/`
 * @param target the export's own folder; files of the same names are replaced, others stay
 * @throws PermanentError if something is missing or damaged in the source, or the format cannot hold a name
 */
export async function exportLabels(
  ports: ExportPorts,
  source: ObjectStore,
  format: ExportFormat,
  target: ObjectStore,
): Promise<ExportSummary> {
  const classMap = await readClasses(source);
  const classes = keptClasses(classMap);
  const context = {
    classes,
    source: await readModelName(source),
    deflate: (bytes: Uint8Array, runs: boolean) => ports.images.deflate(bytes, runs),
  };
  let [files, bytes] = [0, 0];
  let images = 0;
  const counted = async function* () {
    for await (const image of labelledImages(ports, source, classMap, format)) {
      images++;
      yield image;
    }
  };
  const put = (file: ExportFile) => putChanged(target, file);
  for await (const size of mapInOrder(exporters[format](counted(), context), putsAtOnce, put)) {
    files++;
    bytes += size;
  }
  return { format, images, classes: classes.length, files, bytes };
}

/** Where exports lie that follow the classes: `export/<format>/` in the run's own folder. */
export const exportPrefix = (format: ExportFormat): string => `export/${format}/`;

async function holdsAny(store: ObjectStore, prefix: string): Promise<boolean> {
  for await (const _ of store.keys(prefix)) return true;
  return false;
}

/**
 * Writes the exports anew that lie in the run's folder, so that they follow an edit of the classes.
 * @throws PermanentError naming the formats that could not be written, after the others were
 */
export async function rewriteExports(ports: ExportPorts, store: ObjectStore): Promise<ExportSummary[]> {
  const summaries: ExportSummary[] = [];
  const failures: string[] = [];
  for (const format of exportFormats) {
    if (!(await holdsAny(store, exportPrefix(format)))) continue;
    try {
      summaries.push(await exportLabels(ports, store, format, new PrefixStore(store, exportPrefix(format))));
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      failures.push(`${exportPrefix(format)}: ${error.message}`);
    }
  }
  if (failures.length > 0) throw new PermanentError(`the classes are changed, but not ${failures.join('; ')}`);
  return summaries;
}
