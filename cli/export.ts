/** `selflabel export`: the labels of a run in the formats of other tools. */
import { isAbsolute, relative, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '#core/errors';
import { exportFormatOf, exportFormats } from '#core/formats/exporters';
import { type ExportSummary, exportLabels } from '#pipeline/export';
import { PrefixStore } from '#pipeline/prefix-store';
import { assertRunFolder, type OpenedFolder, type OpenFolder, withFolder } from './open-folder.ts';

interface ExportOptions {
  readonly format: string;
  readonly to: string;
  readonly json?: boolean;
}

/** Adds `export`. @param open plugs the adapters into a folder */
export function registerExport(program: Command, open: OpenFolder): void {
  program
    .command('export')
    .description('write the labels for other tools; exports in DIR/export/<format> follow later edits of the classes')
    .argument('<dir>', 'folder that selflabel run wrote')
    .requiredOption('--format <format>', exportFormats.join(', '))
    .requiredOption('--to <folder>', 'where the export goes')
    .option('--json', 'print the result as one JSON line')
    .action(async (dir: string, options: ExportOptions) => {
      const summary = await exportFolder(open, dir, options);
      const { images, classes, files } = summary;
      const text = `${images} images with ${classes} classes, ${files} files in ${options.to}\n`;
      process.stdout.write(options.json ? `${JSON.stringify({ to: options.to, ...summary })}\n` : text);
    });
}

/** The path from `folder` to `inner`, with `/`; undefined if `inner` lies elsewhere. */
function pathWithin(folder: string, inner: string): string | undefined {
  const path = relative(resolve(folder), resolve(inner)).split(sep).join('/');
  return isAbsolute(path) || path.split('/')[0] === '..' ? undefined : path;
}

async function exportFolder(
  open: OpenFolder,
  dir: string,
  { format: word, to }: ExportOptions,
): Promise<ExportSummary> {
  const format = exportFormatOf(word);
  if (!format) throw new UsageError(`there is no format ${word}; there are ${exportFormats.join(', ')}`);
  const inside = pathWithin(dir, to);
  if (inside !== undefined && !inside.startsWith('export/')) {
    throw new UsageError(`--to must lie outside ${dir} or in its folder export, for example ${dir}/export/${format}`);
  }
  assertRunFolder(dir);
  return withFolder(open, dir, ({ ports }: OpenedFolder) => {
    if (inside !== undefined)
      return exportLabels(ports, ports.store, format, new PrefixStore(ports.store, `${inside}/`));
    return withFolder(open, to, target => exportLabels(ports, ports.store, format, target.ports.store));
  });
}
