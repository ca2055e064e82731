/** Options that mean the same in several commands: one flag, one range, one text. */
import { Option } from 'commander';
import { integer, listOfIntegers } from './options.ts';

export const classesOption = (): Option =>
  new Option(
    '--classes <n>',
    'number of classes in the masks (default: by categories.txt beside their folder, else their highest id)',
  ).argParser(integer(1, 65_000));

export const ignoreOption = (): Option =>
  new Option('--ignore <ids...>', 'mask ids that do not count (default: 255 in 8-bit masks, 1000 in others)').argParser(
    listOfIntegers,
  );

export const seedOption = (): Option =>
  new Option('--seed <n>', 'same seed, same result').argParser(integer(0, 2 ** 31 - 1)).default(0);

export const threadsOption = (): Option =>
  new Option('--threads <n>', 'cores to use (default: all)').argParser(integer(1, 256));
