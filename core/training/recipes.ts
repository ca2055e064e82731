/** How a model is fine-tuned: the default, the method as published (3.1), and the semi-supervised one (5.4). */
import { adamW, larc, type Optimizer } from '../graph/optimizers.ts';
import { type AugmentationRules, publishedAugmentation, semiSupervisedAugmentation } from '../image/augmentation.ts';

export interface FineTuningRecipe {
  readonly optimizer: Optimizer;
  /** Learning rate: its peak, what the cosine ends at, and the share of the steps in which it rises. */
  readonly peak: number;
  readonly end: number;
  readonly warmUp: number;
  /** Factor of the learning rate for the backbone as a whole, and from each of its twelve levels to the one before. */
  readonly backboneRate: number;
  readonly layerDecay: number;
  readonly epochs: number;
  /** Steps that are made at least, where epochs are short. */
  readonly leastSteps?: number;
  /**
   * The head is trained alone before the whole network is, at a rate of its own: from a random head the first gradients
   * would spoil what the backbone knows (https://arxiv.org/abs/2202.10054). Also the rule where only the head is trained.
   */
  readonly headFirst?: { readonly peak: number; readonly epochs: number; readonly leastSteps: number };
  readonly batch: number;
  /** Of a view and of its label map, in pixels. */
  readonly side: number;
  readonly targetSide: number;
  readonly augmentation: AugmentationRules;
  /** What the head sees: the deepest map, or all. */
  readonly maps: 'deep' | 'all';
  readonly headStart: 'zero' | 'random';
  /** Whether nodes of batch normalisation use the batch. */
  readonly statistics: 'stored' | 'batch';
  /** Pictures are made no larger than this on their shorter side before views are cut; undefined: not at all. */
  readonly shorterSide?: number;
}

const published = {
  side: 224,
  targetSide: 112,
  maps: 'deep',
  headStart: 'random',
  statistics: 'batch',
  backboneRate: 1,
  batch: 16,
} as const;

/** The method as published; its batches were of 256, which needs more memory than most machines have (--train-batch). */
export const publishedRecipe: FineTuningRecipe = {
  ...published,
  optimizer: larc(),
  peak: 0.6,
  end: 0.0006,
  warmUp: 0,
  layerDecay: 1,
  epochs: 20,
  augmentation: publishedAugmentation,
};

/** For a few given masks. */
export const semiSupervisedRecipe: FineTuningRecipe = {
  ...published,
  optimizer: adamW({ weightDecay: 5e-4 }),
  peak: 5e-4,
  end: 1e-6,
  warmUp: 0.05,
  layerDecay: 0.4,
  epochs: 100,
  augmentation: semiSupervisedAugmentation,
};

/** On pseudo labels, with any backbone and on small machines. */
export const defaultRecipe: FineTuningRecipe = {
  optimizer: adamW({ weightDecay: 0.01 }),
  peak: 1e-3,
  end: 0,
  warmUp: 0.05,
  backboneRate: 0.2,
  layerDecay: 0.9,
  epochs: 10,
  leastSteps: 60,
  headFirst: { peak: 1e-2, epochs: 10, leastSteps: 80 },
  batch: 16,
  side: 224,
  targetSide: 112,
  augmentation: {
    scale: [0.3, 1],
    ratio: [3 / 4, 4 / 3],
    flip: 0.5,
    jitter: { probability: 0.8, brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.05 },
  },
  maps: 'all',
  headStart: 'zero',
  statistics: 'stored',
  shorterSide: 320,
};
