/** ImageNet-S as published: its three subsets, their sizes, and how its folders stand for class ids. */

/** The mask value of pixels that do not count. */
export const ignoredId = 1000;

export type Subset = 50 | 300 | 919;

/** The annotated splits and the others, with the number of images. */
export const subsetSizes: Readonly<Record<Subset, Readonly<Record<string, number>>>> = {
  50: { train: 64_431, 'train-semi': 500, validation: 752, test: 1_682 },
  300: { train: 384_862, 'train-semi': 3_000, validation: 4_097, test: 9_088 },
  919: { train: 1_183_322, 'train-semi': 9_190, validation: 12_419, test: 27_423 },
};

/** Folders of ImageNet that are part of another class in the subset of 919: source → the folder they belong into. */
export const merges: ReadonlyMap<string, string> = new Map([
  ['n04356056', 'n04355933'],
  ['n04493381', 'n02808440'],
  ['n03642806', 'n03832673'],
  ['n04008634', 'n03773504'],
  ['n03887697', 'n15075141'],
]);

/** `n` and eight digits: a WordNet id, by which ImageNet names its folders. */
export const isWnid = (name: string): boolean => /^n\d{8}$/.test(name);

/** Class id of each folder: its place among the sorted names, from 1 on. */
export const classesOfFolders = (folders: Iterable<string>): Map<string, number> =>
  new Map([...folders].sort().map((wnid, i) => [wnid, i + 1]));
