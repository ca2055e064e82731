/**
 * The API's documents as types, made from its OpenAPI description: change that, then run
 * `npx tsx test/client/write-contract.ts`. A test holds the two together. A table, hence long.
 */

/** RFC 9457, application/problem+json. */
export interface Problem {
  /** Stable name of the kind of problem, as “/problems/unknown-model”. */
  readonly type: string;
  /** The kind of problem in words. */
  readonly title: string;
  readonly status: number;
  /** What is wrong here and what to do. */
  readonly detail: string;
  /** To be quoted when asking for help; also the header X-Request-Id. */
  readonly requestId: string;
  /** The detail again, on the routes of KServe, whose clients look for it here. */
  readonly error?: string;
  /** Each violation of this document, the first 10. */
  readonly errors?: readonly {
    /** Where: a JSON pointer or the name of a parameter. */
    readonly path: string;
    /** What is wrong. */
    readonly message: string;
  }[];
}

/** Exactly one source of bytes. */
export type Image =
  | {
      /** s3://bucket/key in a bucket this server may read. */
      readonly s3Uri: string;
    }
  | {
      /** An http(s) address this server is allowed to fetch. */
      readonly url: string;
    }
  | {
      /** The bytes of the image, base64. */
      readonly base64: string;
    };

export interface SegmentParams {
  /** Name of the model; default: the only one, or the one the server names. */
  readonly model?: string;
  /** What the JSON answer holds beside box and area of each segment: COCO run lengths, polygons with holes, and the mask as one PNG in base64. May be empty. */
  readonly outputs?: readonly ('rle' | 'polygons' | 'mask')[];
  /** Only these class ids; all other pixels become background. */
  readonly classes?: readonly number[];
  /** Foreground threshold in place of the model’s own; only for models whose decision has one. */
  readonly threshold?: number;
  /** Longest side of the answer in pixels: larger images are shrunk to it first. Default: the size of the image. */
  readonly size?: number;
}

export interface SegmentRequest {
  readonly image: Image;
  readonly params?: SegmentParams;
  /** What the answer calls the image. */
  readonly name?: string;
}

export interface Segmentation {
  /** The request id. */
  readonly id: string;
  readonly model: {
    readonly name: string;
    readonly version: string;
    readonly sha256: string;
  };
  readonly image: {
    /** As given with the request. */
    readonly name: string;
    /** Of the mask, in pixels. */
    readonly width: number;
    /** Of the mask, in pixels. */
    readonly height: number;
    readonly original: {
      /** As shown. */
      readonly width: number;
      /** As shown. */
      readonly height: number;
    };
    /** “first of 30 frames taken”, … */
    readonly notes: readonly string[];
  };
  readonly background: {
    /** Pixels of no class. */
    readonly pixels: number;
    /** Of the image. */
    readonly share: number;
  };
  /** Of the labelled pixels: mean of 1 − d₁/d₂ for the distances to the best and second-best class. */
  readonly confidence: number;
  /** Classes that occur, by id. */
  readonly classes: readonly {
    readonly id: number;
    readonly name: string;
    readonly color: string;
    /** Pixels of the class. */
    readonly pixels: number;
    /** Of the image. */
    readonly share: number;
    /** Mean over its segments, by their pixels. */
    readonly confidence: number;
    /** Connected regions. */
    readonly segments: number;
  }[];
  /** Connected regions of one class, largest first, at most 1000. */
  readonly segments: readonly {
    readonly classId: number;
    /** Mean over its positions in the model’s grid. */
    readonly confidence: number;
    /** Pixels. */
    readonly area: number;
    /** [left, top, width, height] */
    readonly box: readonly [number, number, number, number];
    /** The mask as of pycocotools: exact, holes included. */
    readonly rle?: {
      /** [height, width] */
      readonly size: readonly [number, number];
      /** COCO’s compressed run lengths, column by column. */
      readonly counts: string;
    };
    /** Outline along pixel edges; closes by itself. */
    readonly polygon?: {
      /** x0, y0, x1, y1, … in pixel corners, clockwise. */
      readonly outer: readonly number[];
      /** Counter-clockwise. */
      readonly holes: readonly (readonly number[])[];
    };
  }[];
  /** Class ids as PNG, base64: 8-bit palette, 16-bit grey above 255. */
  readonly mask?: string;
  readonly timings: {
    /** Until the image was there and its turn had come. Milliseconds. */
    readonly wait: number;
    /** From its bytes to pixels. Milliseconds. */
    readonly decode: number;
    /** The model and the labels. Milliseconds. */
    readonly label: number;
  };
  readonly warnings: readonly string[];
}

export interface BatchRequest {
  readonly images: readonly {
    readonly image: Image;
    /** What the answer calls the image. */
    readonly name?: string;
  }[];
  readonly params?: SegmentParams;
}

export interface BatchResult {
  readonly id: string;
  /** One per image, in their order. */
  readonly results: readonly (
    | {
        readonly segmentation: Segmentation;
      }
    | {
        readonly problem: Problem;
      }
  )[];
}

export interface FeatureCollection {
  readonly type: 'FeatureCollection';
  readonly features: readonly {
    readonly type: 'Feature';
    readonly properties: {
      readonly classId: number;
      readonly name: string;
      readonly color: string;
      readonly confidence: number;
      readonly area: number;
    };
    readonly geometry: {
      readonly type: 'Polygon';
      /** Pixel corners, x right and y down: the outer ring first, then the holes; each ring closed. */
      readonly coordinates: readonly (readonly (readonly [number, number])[])[];
    };
  }[];
}

export interface ModelSummary {
  readonly name: string;
  /** Changes with the model. */
  readonly version: string;
  /** Of model.onnx. */
  readonly sha256: string;
  /** When it was published. */
  readonly created: string;
  /** Classes that are not ignored. */
  readonly classes: number;
  readonly decision: 'threshold' | 'argmax';
  /** Whether requests without a model get this one. */
  readonly default: boolean;
}

export interface ModelList {
  readonly models: readonly ModelSummary[];
}

export interface Model {
  readonly name: string;
  /** Changes with the model. */
  readonly version: string;
  /** Of model.onnx. */
  readonly sha256: string;
  /** When it was published. */
  readonly created: string;
  /** All classes, ignored ones too. */
  readonly classes: readonly {
    readonly id: number;
    /** As in classes.json. */
    readonly name: string;
    /** #rrggbb */
    readonly color: string;
    /** Its pixels are answered as background. */
    readonly ignore: boolean;
  }[];
  readonly decision: 'threshold' | 'argmax';
  /** Whether requests without a model get this one. */
  readonly default: boolean;
  /** card.json as it was published. */
  readonly card: Readonly<Record<string, unknown>>;
}

/** The options of `selflabel run` in camelCase, or a published model applied to other images. */
export type JobRequest =
  | {
      readonly images: string;
      readonly masks?: string;
      readonly classes?: number;
      readonly ignore?: readonly number[];
      readonly background?: 'auto' | 'none';
      readonly labelFormat?: 'index' | 'imagenet-s';
      readonly name?: string;
      readonly seed?: number;
      readonly backbone?: 'filter-bank' | string;
      readonly clusters?: number | 'auto';
      readonly sample?: number;
      readonly restarts?: number;
      readonly valImages?: string;
      readonly valMasks?: string;
      readonly threshold?: 'from-scores' | 'from-masks' | number;
      readonly method?: 'selflabel' | 'pass';
      readonly attention?: 'self-trained' | 'pass' | 'norm' | 'border' | string;
      readonly gate?: 'exact' | 'projected';
      readonly unit?: 'segments' | 'pixels' | 'object' | 'image';
      readonly refine?: 'guided' | 'none';
      readonly scales?: 1 | 2;
      readonly attendSample?: number;
      readonly finetune?: 'none' | 'head' | 'all';
      readonly trainMinutes?: number;
      readonly trainEpochs?: number;
      readonly trainBatch?: number;
      readonly kind?: 'run';
    }
  | {
      readonly images: string;
      readonly masks?: string;
      readonly classes?: number;
      readonly ignore?: readonly number[];
      readonly background?: 'auto' | 'none';
      readonly labelFormat?: 'index' | 'imagenet-s';
      readonly name?: string;
      readonly seed?: number;
      readonly model: string;
      readonly kind: 'predict';
    };

export interface NewJob {
  /** Default: one is made. */
  readonly id?: string;
  readonly request: JobRequest;
}

export interface Job {
  readonly id: string;
  readonly stage:
    | 'requested'
    | 'plan'
    | 'attend'
    | 'embed'
    | 'cluster'
    | 'label'
    | 'finetune'
    | 'evaluate'
    | 'publish'
    | 'done'
    | 'failed';
  /** Pieces of work per stage. */
  readonly stages: Readonly<
    Record<
      string,
      {
        readonly done: number;
        readonly total: number;
        readonly failed: number;
      }
    >
  >;
  readonly started?: string;
  readonly updated?: string;
  /** Why it cannot go on. */
  readonly error: string | null;
}

export interface JobList {
  readonly jobs: readonly Job[];
  /** Pass as `after` for the next page. */
  readonly next?: string;
}

export interface Health {
  readonly status: 'ok' | 'ready';
}
