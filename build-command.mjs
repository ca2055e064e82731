/** For the build: the program with a single command, for a bundle that holds nothing else. */
import { readFile } from 'node:fs/promises';

/**
 * Of the table of commands only one line is left.
 * @param {string} name
 * @returns {import('esbuild').Plugin}
 */
export const onlyCommand = name => ({
  name: 'only-command',
  setup(building) {
    building.onLoad({ filter: /[\\/]cli[\\/]commands\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const line = new RegExp(`^  ${name}: .*$`, 'm').exec(text)?.[0];
      if (!line) throw new Error(`${path} has no line for ${name}`);
      return { contents: text.replace(/(?<=export const commands = \{\n).*?(?=^\})/ms, `${line}\n`), loader: 'ts' };
    });
  },
});
