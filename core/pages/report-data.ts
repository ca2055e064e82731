/** What the report page is made of. Names are shown as given; paths are relative, with `/`, not URL-encoded. */

/** A measured number, or null where it could not be measured. Shares and scores are 0 … 1. */
export type Figure = number | null;

export interface ReportData {
  readonly run: RunFacts;
  readonly receipt: ReceiptFacts;
  /** In any order; the page starts with the largest. */
  readonly classes: readonly ClassFacts[];
  /** The results folder as the user would type it: the DIR of `selflabel classes rename DIR …`. */
  readonly directory: string;
  readonly review: ReviewFacts;
  /** How the number of classes was found; null where it was given. */
  readonly choice: ChoiceFacts | null;
  readonly merges: MergeFacts;
  readonly nearDuplicates: NearDuplicateFacts;
  /** Null with `--background none`: every pixel got a class. */
  readonly foreground: ForegroundFacts | null;
  /** Null without ground-truth masks. */
  readonly metrics: MetricsFacts | null;
  readonly model: ModelFacts;
  /** What was trained step by step, in the order of the job. */
  readonly training?: readonly TrainingFacts[];
}

export interface TrainingFacts {
  /** As people call it: "Fine-tuning". */
  readonly title: string;
  /** One loss per step. */
  readonly losses: readonly number[];
  readonly facts: readonly (readonly [term: string, value: string])[];
}

export interface ChoiceFacts {
  readonly clusters: number;
  /** By clusters, ascending. */
  readonly curve: readonly {
    readonly clusters: number;
    readonly agreement: number;
    readonly explained: number;
    readonly score: number;
  }[];
}

/** Classes that look like one cut in two, in groups that would be merged. */
export interface MergeFacts {
  /** Ids of the classes of each group, the surest group first; the page may show a part. */
  readonly groups: readonly { readonly classes: readonly number[]; readonly score: number }[];
  readonly total: number;
  /** Score from which a merge is proposed. */
  readonly above: number;
}

export interface NearDuplicateFacts {
  /** The largest groups, a few pictures each. */
  readonly groups: readonly { readonly pictures: readonly PictureFacts[]; readonly images: number }[];
  /** Groups and images in all. */
  readonly total: { readonly groups: number; readonly images: number };
  /** Cosine of two embeddings from which images count as near-duplicates. */
  readonly above: number;
}

export interface RunFacts {
  /** The job's name, the page's title. */
  readonly job: string;
  /** ISO 8601 in UTC, when the job ended. */
  readonly finished: string;
  /** Version of the program. */
  readonly version: string;
  /** What ran the graphs: "cpu", "cuda", … */
  readonly device: string;
  readonly threads: number;
  /** In the order they ran. */
  readonly stages: readonly StageFacts[];
  /** Wall time of the whole job, at least that of its longest stage. */
  readonly totalSeconds: number;
  readonly peakMemoryBytes: Figure;
  /** What kept the job from being faster: decoding pictures, running the model, or neither clearly. Null: not measured. */
  readonly bound: {
    readonly by: 'decode' | 'model' | 'balanced';
    readonly decodeSeconds: number;
    readonly modelSeconds: number;
    /** Images per second that each could do alone. */
    readonly decodeRate: number;
    readonly modelRate: number;
  } | null;
  readonly backbone: BackboneFacts;
  /** What shapes the result, in reading order. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  /** The command that does the same again, as one would type it. */
  readonly command: string;
}

export interface StageFacts {
  readonly name: string;
  readonly seconds: number;
  /** Images that passed this stage; null where it does not work by image. */
  readonly images: Figure;
}

export interface BackboneFacts {
  readonly name: string;
  /** SHA-256 in hex; null for the built-in filter bank, which has no file. */
  readonly sha256: string | null;
  /** True for the filter bank that needs no download. The page then says plainly what it cannot do. */
  readonly builtIn: boolean;
}

export interface ReceiptFacts {
  readonly counts: {
    readonly total: number;
    readonly labelled: number;
    readonly empty: number;
    readonly duplicate: number;
    readonly rejected: number;
  };
  /** May be a part of the whole; the page says how many of how many it shows. */
  readonly rejected: readonly { readonly image: string; readonly reason: string }[];
  readonly duplicates: readonly { readonly image: string; readonly of: string }[];
  readonly empty: readonly string[];
  /** "first of 30 frames taken", "CMYK converted to RGB", … */
  readonly notes: readonly { readonly image: string; readonly note: string }[];
  /** How many notes there are, where they are not all here. */
  readonly noted?: number;
}

export interface ClassFacts {
  /** Label id shown to users; 1 … */
  readonly id: number;
  readonly name: string;
  /** Cluster ids joined in this class. */
  readonly clusters: readonly number[];
  /** `#rrggbb`, the colour of the overlays. */
  readonly color: string;
  readonly ignore: boolean;
  /** Images with at least one pixel of this class. */
  readonly images: number;
  readonly pixels: number;
  /** Share of all pixels of the data set. */
  readonly share: number;
  /** Mean cosine between the class's vectors and their centroids: 1 = all alike. */
  readonly cohesion: Figure;
  readonly confidence: Figure;
  readonly members: readonly MemberFacts[];
}

/** Why a picture is on the contact sheet. */
export type MemberGroup = 'central' | 'uncertain' | 'random';

/** A picture with its labels, the size of a thumbnail. */
export interface PictureFacts {
  /** Path of the image below IMAGES; shown, never loaded. */
  readonly image: string;
  /** JPEG, relative to the page. */
  readonly thumbnail: string;
  /** PNG of the thumbnail's size, relative to the page: pixels in the colours of their classes, background transparent. */
  readonly overlay: string;
  /** Size of both in pixels. */
  readonly width: number;
  readonly height: number;
  readonly confidence: Figure;
}

export interface MemberFacts extends PictureFacts {
  readonly group: MemberGroup;
  /** Distance to the centroid (1 − cosine). */
  readonly distance: Figure;
}

export interface ReviewFacts {
  /** The images most worth a look, worst first; may be fewer than `suggested`. */
  readonly items: readonly ReviewItem[];
  /** How many images the rule picked out. */
  readonly suggested: number;
  /** The rule in words: "confidence below 0.45, or two classes within 0.02". */
  readonly rule: string;
  /** Assumed time to check one image; the reader may change it on the page. */
  readonly secondsPerImage: number;
}

export interface ReviewItem extends PictureFacts {
  /** Label ids in this image, largest area first. */
  readonly classes: readonly number[];
  /** In words: "lowest confidence of all", "torn between class 3 and class 9". */
  readonly reasons: readonly string[];
}

export interface ForegroundFacts {
  readonly threshold: number;
  /** Where the threshold came from. */
  readonly source: 'from-scores' | 'from-masks' | 'given';
  /** Otsu's threshold of the same scores, whichever was used; null if it was not computed. */
  readonly otsu: Figure;
  /** Pixels by score: `counts.length` equal bins from `low` to `high`. */
  readonly histogram: { readonly low: number; readonly high: number; readonly counts: readonly number[] };
  /** Share of all pixels called foreground. */
  readonly share: number;
  /** The three signs of a head that turned round or gave up; null where no head was trained. */
  readonly check: ForegroundCheck | null;
}

export interface ForegroundCheck {
  /** Whether the head as a whole looks failed; the signs say why. */
  readonly failed: boolean;
  /** Share of pixels on which heads from two seeds agree. Suspicious below its limit. */
  readonly agreement: ForegroundSign;
  /** Share of the image border called foreground. Suspicious above its limit. */
  readonly borderForeground: ForegroundSign;
  /** Share of images that are foreground all over or nowhere. Suspicious above its limit. */
  readonly allOrNothing: ForegroundSign;
}

export interface ForegroundSign {
  readonly value: Figure;
  readonly limit: number;
  readonly suspicious: boolean;
}

/** S ≤ 5 %, MS ≤ 25 %, ML ≤ 50 %, L above, by share of the image. */
export interface SizeFigures {
  readonly s: Figure;
  readonly ms: Figure;
  readonly ml: Figure;
  readonly l: Figure;
}

/** The figures of a trivial labeller, to hold ours against. */
export interface BaselineFigures {
  readonly miou: Figure;
  readonly miouForeground: Figure;
  readonly foregroundIou: Figure;
}

/** `metrics.json`, as far as the page shows it. */
export interface MetricsFacts extends BaselineFigures {
  readonly images: number;
  readonly classes: number;
  readonly boundaryMiou: Figure;
  readonly imageAccuracy: Figure;
  readonly fBeta: Figure;
  readonly nmi: Figure;
  readonly clusterAccuracy: Figure;
  readonly sizes: SizeFigures;
  readonly boundarySizes: SizeFigures;
  readonly perClass: readonly ClassFigures[];
  /** How clusters were matched with classes: "image", "pixel", "none" or the name of a saved file. */
  readonly matchingKind: string;
  readonly pixelMatched: {
    readonly miou: Figure;
    readonly miouForeground: Figure;
    readonly pixelAccuracy: Figure;
  } | null;
  readonly baselines: {
    readonly allBackground: BaselineFigures | null;
    readonly allForeground: BaselineFigures | null;
    readonly centredEllipse: BaselineFigures | null;
    readonly pixelKmeans: BaselineFigures | null;
  };
  /** They are of the validation set: no masks of the photos themselves were given. */
  readonly validation?: boolean;
  /** Images left out of the figures. */
  readonly skipped: readonly string[];
  /** mIoU by threshold, ascending; for `--threshold from-masks`. */
  readonly thresholdCurve?: readonly { readonly threshold: number; readonly miou: number }[];
  /** Why a figure is null, by its name ("nmi", "sizes.s"), where the page's own words would be wrong. */
  readonly missing?: Readonly<Record<string, string>>;
}

export interface ClassFigures {
  /** Class id of the ground truth. */
  readonly id: number;
  readonly name: string;
  readonly iou: Figure;
  readonly boundaryIou: Figure;
  /** Pixels in the ground truth. */
  readonly pixels: number;
}

/** How scores become labels; `decision` of the model card. */
export type DecisionRule =
  | {
      readonly kind: 'threshold';
      readonly threshold: number;
      readonly upsample: 'nearest' | 'bilinear';
      readonly refine: { readonly kind: 'guided'; readonly radius: number; readonly epsilon: number } | null;
    }
  | { readonly kind: 'argmax' };

export interface ModelFacts {
  readonly name: string;
  readonly version: string;
  /** Path of `model.onnx` from DIR. */
  readonly file: string;
  readonly decision: DecisionRule;
  /** How images are sized for the network: shorter side in pixels (null: as they are), both sides a multiple of the stride. */
  readonly input: { readonly shorterSide: number | null; readonly stride: number };
  /** SHA-256 in hex, by what they are of: backbone, attention, centroids, code. */
  readonly hashes: readonly (readonly [of: string, sha256: string])[];
  /** What else a user of the model should know, name and value: training data, projection head given or trained, … */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly licenceNotes: readonly string[];
}
