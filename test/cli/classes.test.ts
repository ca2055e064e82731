/** `selflabel classes` and `selflabel export` on a folder of the disk: what they print, write and refuse. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FolderStore } from '#adapters/local/folder-store';
import { PermanentError, UsageError } from '#core/errors';
import { defaultClasses } from '#core/labels/class-map';
import { LabelCounter } from '#core/labels/label-counts';
import { formatMergeProposals } from '#core/labels/merge-proposals';
import { classTable } from '../../cli/class-table.ts';
import { registerClasses } from '../../cli/classes.ts';
import { registerExport } from '../../cli/export.ts';
import type { OpenFolder } from '../../cli/open-folder.ts';
import { textTable, textWidth } from '../../cli/text-table.ts';
import { fillRunFolder, folderPorts } from '../pipeline/run-folder.ts';

let root: string;
let dir: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'selflabel-classes-'));
  dir = join(root, 'run');
  await fillRunFolder(await FolderStore.open(dir));
});
afterEach(() => rmSync(root, { recursive: true }));

const open: OpenFolder = async folder => ({
  ports: { ...folderPorts(), store: await FolderStore.open(folder) },
  close: async () => undefined,
});

/** Runs a command line; what it wrote to stdout. */
async function selflabel(...words: string[]): Promise<string> {
  const program = new Command('selflabel').exitOverride().configureOutput({ writeErr: () => undefined });
  registerClasses(program, open);
  registerExport(program, open);
  let output = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    output += text;
    return true;
  });
  try {
    await program.parseAsync(words, { from: 'user' });
  } finally {
    write.mockRestore();
  }
  return output;
}

const read = (file: string) => readFileSync(join(dir, file), 'utf8');
const names = (): string[] => JSON.parse(read('classes.json')).classes.map((item: { name: string }) => item.name);

describe('classes merge --proposed', () => {
  const proposal = (a: number, b: number, score: number) => ({
    clusters: [a, b] as const,
    score,
    cosine: score,
    together: score,
    images: 3,
  });
  const propose = () =>
    writeFileSync(join(dir, 'merges.json'), formatMergeProposals([proposal(0, 2, 0.8), proposal(1, 3, 0.4)]));

  it('carries out the sure ones, or those above a score, as one edit that undo takes back', async () => {
    propose();
    expect(await selflabel('classes', 'merge', dir, '--proposed')).toMatch(
      /^merge --proposed: changes 8 pixels in 2 of 4/,
    );
    expect(names()).toEqual(['class 1', 'class 2', 'class 4']);
    await selflabel('classes', 'undo', dir);
    expect(names()).toEqual(['class 1', 'class 2', 'class 3', 'class 4']);
    await selflabel('classes', 'merge', dir, '--proposed', '--above', '0.3');
    expect(names()).toEqual(['class 1', 'class 2']);
    await selflabel('classes', 'undo', dir);
    expect(names()).toEqual(['class 1', 'class 2', 'class 3', 'class 4']);
    expect(await selflabel('classes', 'merge', dir, '--proposed', '--dry-run')).toContain('nothing is written');
    expect(names()).toHaveLength(4);
  });

  it('refuses what does not go together', async () => {
    await expect(selflabel('classes', 'merge', dir, '--proposed')).rejects.toThrow('merges.json is missing');
    propose();
    await expect(selflabel('classes', 'merge', dir)).rejects.toThrow('or give --proposed');
    await expect(selflabel('classes', 'merge', dir, '1', '2', '--above', '0.3')).rejects.toThrow(
      'goes with --proposed',
    );
    await expect(selflabel('classes', 'merge', dir, '1', '2', '--proposed')).rejects.toThrow('leave out classes');
    await expect(selflabel('classes', 'merge', dir, '--proposed', '--above', '2')).rejects.toThrow('from 0 to 1');
    await expect(selflabel('classes', 'merge', dir, '--proposed', '--above', '0.9')).rejects.toThrow('--above');
  });
});

describe('classes show', () => {
  it('prints a table with a line per class', async () => {
    await selflabel('classes', 'rename', dir, '2', '猫 cat');
    expect(await selflabel('classes', 'show', dir)).toMatchInlineSnapshot(`
      "id  color    name        clusters  images  pixels   share
       0           background                 3       6  18.8 %
       1  #e6194b  class 1     0              3       7  21.9 %
       2  #3cb44b  猫 cat      1              2       8  25.0 %
       3  #4363d8  class 3     2              2       8  25.0 %
       4  #ffe119  class 4     3              1       3   9.4 %
      "
    `);
  });
  it('prints one JSON line', async () => {
    const output = await selflabel('classes', 'show', dir, '--json');
    expect(output.trim().split('\n').length).toBe(1);
    expect(JSON.parse(output)).toMatchObject({
      version: 1,
      images: 4,
      background: { pixels: 6, images: 3 },
      classes: [
        { id: 1, name: 'class 1', clusters: [0], images: 3, pixels: 7 },
        { id: 2 },
        { id: 3 },
        { id: 4, images: 1 },
      ],
    });
  });
});

describe('classes edits', () => {
  it('say what changes, write it, and undo it', async () => {
    expect(await selflabel('classes', 'rename', dir, '2', 'cat')).toBe(
      `rename 2 cat: changes 8 pixels in 2 of 4 images\nto take it back: selflabel classes undo ${dir}\n`,
    );
    expect(await selflabel('classes', 'merge', dir, 'cat', '1', '--name', 'animal')).toContain(
      'merge cat 1 as animal: changes 15 pixels in 3',
    );
    expect(names()).toEqual(['animal', 'class 3', 'class 4']);
    await selflabel('classes', 'split', dir, 'animal', '0');
    expect(names()).toEqual(['class 1', 'animal', 'class 3', 'class 4']);
    await selflabel('classes', 'ignore', dir, '3', '4');
    expect(read('classes.json')).toContain('"name":"class 4","clusters":[3],"color":"#ffe119","ignore":true');
    await selflabel('classes', 'unignore', dir, '4');
    expect(read('model/classes.json')).toBe(read('classes.json'));
    expect(await selflabel('classes', 'undo', dir)).toBe('undo: unignore 4: changes 3 pixels in 1 of 4 images\n');
    for (let i = 0; i < 4; i++) await selflabel('classes', 'undo', dir);
    expect(names()).toEqual(['class 1', 'class 2', 'class 3', 'class 4']);
    await expect(selflabel('classes', 'undo', dir)).rejects.toThrow(PermanentError);
  });

  it('only look with --dry-run', async () => {
    const before = read('classes.json');
    expect(await selflabel('classes', 'ignore', dir, '1', '--dry-run')).toBe(
      'ignore 1 would change 7 pixels in 3 of 4 images; nothing is written\n',
    );
    await selflabel('classes', 'rename', dir, '1', 'x');
    await selflabel('classes', 'undo', dir, '--dry-run');
    expect(names()[0]).toBe('x');
    expect(read('classes.json')).not.toBe(before);
  });

  it('write the exports in the folder anew, and say so', async () => {
    await selflabel('export', dir, '--format', 'png', '--to', join(dir, 'export/png'));
    await selflabel('export', dir, '--format', 'coco', '--to', join(root, 'elsewhere'));
    const output = JSON.parse(await selflabel('classes', 'rename', dir, '1', 'dog', '--json'));
    expect(output).toEqual({
      edit: 'rename 1 dog',
      dryRun: false,
      version: 2,
      changes: { pixels: 7, images: 3 },
      exports: ['export/png/'],
    });
    expect(read('export/png/categories.txt')).toContain('1\tdog\n');
    expect(readFileSync(join(root, 'elsewhere/annotations/instances_default.json'), 'utf8')).not.toContain('dog');
  });

  it.each<[string, string[], RegExp]>([
    ['an unknown class', ['rename', 'DIR', 'bird', 'x'], /no class bird; there are 1 “class 1”/],
    ['no cluster', ['split', 'DIR', '1', 'x'], /x is no cluster id/],
    ['an edit without effect', ['rename', 'DIR', '1', 'class 1'], /changes nothing/],
  ])('refuse %s as bad usage', async (_, words, message) => {
    const call = () => selflabel('classes', ...words.map(word => (word === 'DIR' ? dir : word)));
    await expect(call()).rejects.toThrow(UsageError);
    await expect(call()).rejects.toThrow(message);
  });
});

describe('export', () => {
  it('says what it wrote, also as JSON', async () => {
    const to = join(root, 'voc');
    const output = await selflabel('export', dir, '--format', 'voc', '--to', to);
    expect(output).toBe(`4 images with 4 classes, 10 files in ${to}\n`);
    const json = JSON.parse(await selflabel('export', dir, '--format', 'voc', '--to', to, '--json'));
    expect(json).toMatchObject({ to, format: 'voc', images: 4, classes: 4, files: 10 });
  });
  it('refuses unknown formats and folders that are the run’s own', async () => {
    await expect(selflabel('export', dir, '--format', 'bmp', '--to', root)).rejects.toThrow(
      /no format bmp; there are png, coco/,
    );
    for (const to of [dir, join(dir, 'labels')]) {
      await expect(selflabel('export', dir, '--format', 'png', '--to', to)).rejects.toThrow(UsageError);
    }
    const missing = join(root, 'missing');
    await expect(selflabel('export', missing, '--format', 'png', '--to', root)).rejects.toThrow(
      /holds no receipt\.json/,
    );
    await expect(selflabel('classes', 'show', missing)).rejects.toThrow(PermanentError);
  });
});

describe('text tables', () => {
  it('show colours where the terminal can', () => {
    const table = classTable(defaultClasses(1), new LabelCounter().counts(), true);
    expect(table).toContain('\u001b[48;2;230;25;75m    \u001b[0m');
  });
  it('count columns as terminals do', () => {
    expect(textWidth('猫 cat')).toBe(6);
    expect(textWidth('\u001b[48;2;1;2;3m  \u001b[0m')).toBe(2);
    expect(
      textTable(
        [
          ['a', 'b'],
          ['long', '1'],
        ],
        ['left', 'right'],
      ),
    ).toBe('a     b\nlong  1\n');
  });
});
