/** The photo sets with ground-truth masks. */
export const segmentationSets = ['coco128', 'ccp', 'pets'] as const;
