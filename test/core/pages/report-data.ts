/** A realistic job, made up from a seed, for tests and for looking at the report. */
import type {
  BaselineFigures,
  ClassFacts,
  ForegroundFacts,
  MemberFacts,
  MemberGroup,
  MetricsFacts,
  PictureFacts,
  ReportData,
  ReviewItem,
} from '#core/pages/report-data';
import { Random, seedOf } from '#core/random';

export interface Fixture {
  readonly classes: number;
  /** Pictures per class, a third of each group. */
  readonly members?: number;
  readonly masks?: boolean;
  readonly seed?: number;
}

/** Kinds of things drawn and pictures of each; the files are `thumbnails/<kind>-<variant>.jpg` and `overlays/….png`. */
export const kinds = 12;
export const variants = 6;

/** One colour per kind, the colour of its overlays. */
export const palette =
  '#e6194b #3cb44b #ffe119 #4363d8 #f58231 #911eb4 #46f0f0 #f032e6 #bcf60c #008080 #9a6324 #800000'.split(' ');

const nouns = 'ball house tree boat car star fish flower mug bird hill bottle'.split(' ');
const stages = ['plan', 'attend', 'embed', 'cluster', 'label', 'publish'];

export function reportData({ classes, members = 9, masks = true, seed = 7 }: Fixture): ReportData {
  const random = new Random(seedOf('report', seed, classes));
  const total = classes * 40 + 17;
  const facts = Array.from({ length: classes }, (_, at) => classFacts(at + 1, classes, members, random));
  return {
    run: runFacts(total),
    receipt: receipt(total),
    classes: facts,
    directory: 'harbour-2026',
    review: {
      items: Array.from({ length: 18 }, (_, at) => reviewItem(at, facts, random)),
      suggested: 60 + classes,
      rule: 'mean confidence below 0.45, or two classes within 0.02 of each other on most pixels',
      secondsPerImage: 17,
    },
    choice: choice(classes),
    merges: {
      groups: classes > 3 ? [{ classes: [1, 3], score: 0.71 }] : [],
      total: classes > 3 ? 2 : 0,
      above: 0.5,
    },
    nearDuplicates: nearDuplicates(random),
    foreground: foreground(random),
    metrics: masks ? metrics(facts, random) : null,
    model: modelFacts,
  };
}

function classFacts(id: number, classes: number, members: number, random: Random): ClassFacts {
  const kind = (id - 1) % kinds;
  const share = (0.42 * 2 * (classes - id + 0.5)) / (classes * classes);
  return {
    id,
    name: id % 3 === 0 ? `class ${id}` : `${nouns[kind]}${id > kinds ? ` ${Math.ceil(id / kinds)}` : ''}`,
    clusters: id % 7 === 0 ? [id - 1, id + classes - 1] : [id - 1],
    color: palette[kind]!,
    ignore: id % 11 === 0,
    images: 12 + random.integer(140),
    pixels: Math.round(share * 3.1e8),
    share,
    cohesion: id % 29 === 0 ? null : round(0.35 + 0.6 * random.uniform()),
    confidence: round(0.4 + 0.55 * random.uniform()),
    members: Array.from({ length: members }, (_, at) => member(kind, at, members, random)),
  };
}

function member(kind: number, at: number, members: number, random: Random): MemberFacts {
  const group = (['central', 'uncertain', 'random'] as const)[Math.floor((at * 3) / members)] as MemberGroup;
  const spread = { central: 0.05, random: 0.3, uncertain: 0.6 }[group];
  const distance = round(spread * (0.6 + 0.4 * random.uniform()));
  return {
    ...picture(kind, random.integer(variants), random.integer(9000)),
    group,
    distance,
    confidence: round(1 - distance),
  };
}

const picture = (kind: number, variant: number, serial: number): Omit<PictureFacts, 'confidence'> => ({
  image: `quay-${kind}/${nouns[kind]}/IMG_${1000 + serial}.jpg`,
  thumbnail: `thumbnails/${kind}-${variant}.jpg`,
  overlay: `overlays/${kind}-${variant}.png`,
  width: 160,
  height: 120,
});

function reviewItem(at: number, classes: readonly ClassFacts[], random: Random): ReviewItem {
  const first = random.integer(classes.length);
  const second = (first + 1 + random.integer(Math.max(1, classes.length - 1))) % classes.length;
  const [a, b] = [classes[first]!, classes[second]!];
  return {
    ...picture(first % kinds, at % variants, random.integer(9000)),
    confidence: round(0.21 + at * 0.01),
    classes: first === second ? [a.id] : [a.id, b.id],
    reasons: [at === 0 ? 'lowest confidence of all' : 'low confidence', `torn between ${a.name} and ${b.name}`],
  };
}

const runFacts = (total: number): ReportData['run'] => ({
  job: 'harbour-2026',
  finished: '2026-11-23T18:42:07.000Z',
  version: '0.1.0',
  device: 'cpu',
  threads: 2,
  stages: stages.map((name, at) => ({
    name,
    seconds: [0.4, 61.2, 0.11 * total, 8.9, 0.093 * total, 1.6][at]!,
    images: name === 'cluster' || name === 'publish' ? null : total,
  })),
  totalSeconds: 73 + 0.21 * total,
  peakMemoryBytes: 913_000_000,
  bound: { by: 'model', decodeSeconds: 0.012 * total, modelSeconds: 0.098 * total, decodeRate: 83.3, modelRate: 10.2 },
  backbone: {
    name: 'mobilenetv2-1.0-features.onnx',
    sha256: 'b1bbe5f4caeca9b211e5ca5779e6a3e68fd1419f63ba96d32fe687d3ace91c65',
    builtIn: false,
  },
  settings: [
    ['method', 'selflabel'],
    ['attention', 'self-trained'],
    ['unit', 'segments'],
    ['refine', 'guided'],
    ['threshold', 'from-scores'],
    ['label format', 'index'],
    ['scales', '1'],
    ['seed', '0'],
  ],
  command:
    'selflabel run photos --out harbour-2026 --backbone models/mobilenetv2-1.0-features.onnx --clusters 50 --masks masks',
});

function receipt(total: number): ReportData['receipt'] {
  const duplicates = Array.from({ length: 9 }, (_, at) => ({
    image: `copies/IMG_${1000 + at} (1).jpg`,
    of: `quay-1/house/IMG_${1000 + at}.jpg`,
  }));
  const rejected = [
    { image: 'quay-3/boat/IMG_2217.jpg', reason: 'the file ends in the middle of the picture' },
    { image: 'quay-3/boat/Thumbs.db', reason: 'not an image' },
    { image: 'quay-7/flower/pano.tif', reason: '41,000 × 9,000 pixels is above the limit of 268 million' },
  ];
  const empty = ['quay-9/bird/IMG_1400.jpg', 'quay-9/bird/IMG_1401.jpg'];
  return {
    counts: { total, labelled: total - 14, empty: 2, duplicate: 9, rejected: 3 },
    rejected,
    duplicates,
    empty,
    notes: [
      { image: 'quay-2/tree/wind.gif', note: 'first of 30 frames taken' },
      { image: 'quay-4/car/print.jpg', note: 'CMYK converted to RGB' },
    ],
  };
}

const choice = (clusters: number): ReportData['choice'] => ({
  clusters,
  curve: [0.5, 1, 2].map(factor => ({
    clusters: Math.round(clusters * factor),
    agreement: 0.6,
    explained: 0.4,
    score: factor === 1 ? 0.24 : 0.2,
  })),
});

const nearDuplicates = (random: Random): ReportData['nearDuplicates'] => ({
  groups: [4, 2].map((images, kind) => ({
    pictures: Array.from({ length: Math.min(3, images) }, (_, at) => ({
      ...picture(kind, at, random.integer(9000)),
      confidence: null,
    })),
    images,
  })),
  total: { groups: 3, images: 8 },
  above: 0.98,
});

function foreground(random: Random): ForegroundFacts {
  const counts = Array.from({ length: 100 }, (_, at) =>
    Math.round(
      9000 * Math.exp(-(((at - 24) / 11) ** 2)) + 4200 * Math.exp(-(((at - 74) / 13) ** 2)) + random.integer(400),
    ),
  );
  return {
    threshold: 0.07,
    source: 'from-scores',
    otsu: 0.07,
    histogram: { low: -1.2, high: 1.3, counts },
    share: 0.42,
    check: {
      failed: false,
      agreement: { value: 0.941, limit: 0.8, suspicious: false },
      borderForeground: { value: 0.083, limit: 0.4, suspicious: false },
      allOrNothing: { value: 0.012, limit: 0.3, suspicious: false },
    },
  };
}

function metrics(classes: readonly ClassFacts[], random: Random): MetricsFacts {
  const figures = (miou: number, miouForeground: number, foregroundIou: number): BaselineFigures => ({
    miou,
    miouForeground,
    foregroundIou,
  });
  return {
    ...figures(0.402, 0.386, 0.741),
    images: 300,
    classes: classes.length,
    boundaryMiou: 0.221,
    imageAccuracy: 0.613,
    fBeta: 0.782,
    nmi: null,
    clusterAccuracy: null,
    sizes: { s: 0.121, ms: 0.334, ml: 0.471, l: null },
    boundarySizes: { s: 0.102, ms: 0.215, ml: 0.244, l: null },
    perClass: classes.map(({ id, name, pixels }) => ({
      id,
      name,
      iou: id % 10 === 0 ? null : round(random.uniform() * 0.8),
      boundaryIou: id % 10 === 0 ? null : round(random.uniform() * 0.4),
      pixels,
    })),
    matchingKind: 'image',
    pixelMatched: { miou: 0.421, miouForeground: 0.404, pixelAccuracy: 0.826 },
    baselines: {
      allBackground: figures(0.048, 0, 0),
      allForeground: figures(0.01, 0.011, 0.316),
      centredEllipse: figures(0.062, 0.013, 0.36),
      pixelKmeans: figures(0.131, 0.127, 0.322),
    },
    skipped: ['quay-3/boat/IMG_2217.jpg'],
    thresholdCurve: Array.from({ length: 41 }, (_, at) => ({
      threshold: at / 50,
      miou: 0.4 * Math.exp(-(((at - 18) / 14) ** 2)),
    })),
  };
}

const modelFacts: ReportData['model'] = {
  name: 'harbour-2026',
  version: '1',
  file: 'model/model.onnx',
  decision: {
    kind: 'threshold',
    threshold: 0.0702,
    upsample: 'bilinear',
    refine: { kind: 'guided', radius: 16, epsilon: 0.001 },
  },
  input: { shorterSide: 256, stride: 32 },
  hashes: [
    ['attention', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
    ['centroids', '60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752'],
  ],
  facts: [
    ['training data', '2,003 images, no labels'],
    ['projection head', 'none'],
  ],
  licenceNotes: [
    'Backbone: Apache-2.0, MobileNetV2 of the ONNX model zoo. Its weights are inside the published model.',
  ],
};

const round = (value: number): number => Math.round(value * 1000) / 1000;
