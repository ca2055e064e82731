/** The schemas of the API's documents (JSON Schema 2020-12): what is validated, what is answered, what clients are typed from. A table, hence long. */
import { stages } from '../job/stage.ts';
import { jobRequest } from './job-schema.ts';
import { largestSize, mostBatchImages, mostSegments, namePattern } from './limits.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const text = (description: string, more: JsonSchema = {}) => ({ type: 'string', description, ...more });
const count = (description: string) => ({ type: 'integer', minimum: 0, description });
const milliseconds = (description: string) => ({
  type: 'number',
  minimum: 0,
  description: `${description} Milliseconds.`,
});
const share = (description: string) => ({ type: 'number', minimum: 0, maximum: 1, description });

/** An object; every property is required unless named in `optional`, and no others are allowed. */
const object = (properties: JsonSchema, optional: readonly string[] = [], more: JsonSchema = {}) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter(name => !optional.includes(name)),
  additionalProperties: false,
  ...more,
});

const modelName = { type: 'string', pattern: namePattern };

/** The parameters of a segmentation, by name: the same in the query and in JSON. */
export const paramSchemas = {
  model: { ...modelName, description: 'Name of the model; default: the only one, or the one the server names.' },
  outputs: {
    type: 'array',
    items: { type: 'string', enum: ['rle', 'polygons', 'mask'] },
    uniqueItems: true,
    maxItems: 3,
    default: ['rle'],
    description:
      'What the JSON answer holds beside box and area of each segment: COCO run lengths, polygons with holes, and the mask as one PNG in base64. May be empty.',
  },
  classes: {
    type: 'array',
    items: { type: 'integer', minimum: 1, maximum: 65535 },
    minItems: 1,
    maxItems: 1000,
    uniqueItems: true,
    description: 'Only these class ids; all other pixels become background.',
  },
  threshold: {
    type: 'number',
    description: 'Foreground threshold in place of the model’s own; only for models whose decision has one.',
  },
  size: {
    type: 'integer',
    minimum: 16,
    maximum: largestSize,
    description:
      'Longest side of the answer in pixels: larger images are shrunk to it first. Default: the size of the image.',
  },
} as const;

const imageSources = {
  s3Uri: object({ s3Uri: text('s3://bucket/key in a bucket this server may read.', { pattern: '^s3://[^/]+/.+' }) }),
  url: object({ url: text('An http(s) address this server is allowed to fetch.', { maxLength: 4096 }) }),
  base64: object({ base64: text('The bytes of the image, base64.') }),
};

const polygon = object(
  {
    outer: { type: 'array', items: { type: 'integer' }, description: 'x0, y0, x1, y1, … in pixel corners, clockwise.' },
    holes: { type: 'array', items: { type: 'array', items: { type: 'integer' } }, description: 'Counter-clockwise.' },
  },
  [],
  { description: 'Outline along pixel edges; closes by itself.' },
);

const rle = object(
  {
    size: { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 2, description: '[height, width]' },
    counts: text('COCO’s compressed run lengths, column by column.'),
  },
  [],
  { description: 'The mask as of pycocotools: exact, holes included.' },
);

const problem = object(
  {
    type: text('Stable name of the kind of problem, as “/problems/unknown-model”.'),
    title: text('The kind of problem in words.'),
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: text('What is wrong here and what to do.'),
    requestId: text('To be quoted when asking for help; also the header X-Request-Id.'),
    error: text('The detail again, on the routes of KServe, whose clients look for it here.'),
    errors: {
      type: 'array',
      items: object({
        path: text('Where: a JSON pointer or the name of a parameter.'),
        message: text('What is wrong.'),
      }),
      description: 'Each violation of this document, the first 10.',
    },
  },
  ['error', 'errors'],
  { description: 'RFC 9457, application/problem+json.' },
);

const classOfModel = object({
  id: { type: 'integer', minimum: 1 },
  name: text('As in classes.json.'),
  color: text('#rrggbb', { pattern: '^#[0-9a-f]{6}$' }),
  ignore: { type: 'boolean', description: 'Its pixels are answered as background.' },
});

const modelSummary = object({
  name: modelName,
  version: text('Changes with the model.'),
  sha256: text('Of model.onnx.'),
  created: text('When it was published.', { format: 'date-time' }),
  classes: count('Classes that are not ignored.'),
  decision: { type: 'string', enum: ['threshold', 'argmax'] },
  default: { type: 'boolean', description: 'Whether requests without a model get this one.' },
});

const segmentation = object(
  {
    id: text('The request id.'),
    model: object({ name: modelName, version: { type: 'string' }, sha256: { type: 'string' } }),
    image: object({
      name: text('As given with the request.'),
      width: count('Of the mask, in pixels.'),
      height: count('Of the mask, in pixels.'),
      original: object({ width: count('As shown.'), height: count('As shown.') }),
      notes: { type: 'array', items: { type: 'string' }, description: '“first of 30 frames taken”, …' },
    }),
    background: object({ pixels: count('Pixels of no class.'), share: share('Of the image.') }),
    confidence: share('Of the labelled pixels: mean of 1 − d₁/d₂ for the distances to the best and second-best class.'),
    classes: {
      type: 'array',
      description: 'Classes that occur, by id.',
      items: object({
        id: { type: 'integer', minimum: 1 },
        name: { type: 'string' },
        color: { type: 'string' },
        pixels: count('Pixels of the class.'),
        share: share('Of the image.'),
        confidence: share('Mean over its segments, by their pixels.'),
        segments: count('Connected regions.'),
      }),
    },
    segments: {
      type: 'array',
      maxItems: mostSegments,
      description: `Connected regions of one class, largest first, at most ${mostSegments}.`,
      items: object(
        {
          classId: { type: 'integer', minimum: 1 },
          confidence: share('Mean over its positions in the model’s grid.'),
          area: count('Pixels.'),
          box: {
            type: 'array',
            items: { type: 'integer' },
            minItems: 4,
            maxItems: 4,
            description: '[left, top, width, height]',
          },
          rle,
          polygon,
        },
        ['rle', 'polygon'],
      ),
    },
    mask: text('Class ids as PNG, base64: 8-bit palette, 16-bit grey above 255.'),
    timings: object({
      wait: milliseconds('Until the image was there and its turn had come.'),
      decode: milliseconds('From its bytes to pixels.'),
      label: milliseconds('The model and the labels.'),
    }),
    warnings: { type: 'array', items: { type: 'string' } },
  },
  ['mask'],
);

const geoJson = object({
  type: { const: 'FeatureCollection' },
  features: {
    type: 'array',
    items: object({
      type: { const: 'Feature' },
      properties: object({
        classId: { type: 'integer' },
        name: { type: 'string' },
        color: { type: 'string' },
        confidence: { type: 'number' },
        area: { type: 'integer' },
      }),
      geometry: object({
        type: { const: 'Polygon' },
        coordinates: {
          type: 'array',
          items: { type: 'array', items: { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 2 } },
          description: 'Pixel corners, x right and y down: the outer ring first, then the holes; each ring closed.',
        },
      }),
    }),
  },
});

const jobState = object(
  {
    id: modelName,
    stage: { type: 'string', enum: ['requested', ...stages, 'done', 'failed'] },
    stages: {
      type: 'object',
      additionalProperties: object({ done: count(''), total: count(''), failed: count('') }),
      description: 'Pieces of work per stage.',
    },
    started: text('', { format: 'date-time' }),
    updated: text('', { format: 'date-time' }),
    error: { type: ['string', 'null'], description: 'Why it cannot go on.' },
  },
  ['started', 'updated'],
);

const tensor = (data: JsonSchema) =>
  object(
    {
      name: { type: 'string' },
      datatype: { type: 'string' },
      shape: { type: 'array', items: { type: 'integer', minimum: 0 }, maxItems: 8 },
      parameters: { type: 'object' },
      data,
    },
    ['parameters', 'data'],
  );

export const schemas = {
  Problem: problem,
  Image: {
    oneOf: Object.values(imageSources),
    description: 'Exactly one source of bytes.',
  },
  SegmentParams: object(paramSchemas, Object.keys(paramSchemas)),
  SegmentRequest: object(
    {
      image: ref('Image'),
      params: ref('SegmentParams'),
      name: text('What the answer calls the image.', { maxLength: 200 }),
    },
    ['params', 'name'],
  ),
  BatchRequest: object(
    {
      images: {
        type: 'array',
        minItems: 1,
        maxItems: mostBatchImages,
        items: object({ image: ref('Image'), name: text('What the answer calls the image.', { maxLength: 200 }) }, [
          'name',
        ]),
      },
      params: ref('SegmentParams'),
    },
    ['params'],
  ),
  Segmentation: segmentation,
  BatchResult: object({
    id: { type: 'string' },
    results: {
      type: 'array',
      description: 'One per image, in their order.',
      items: {
        oneOf: [object({ segmentation: ref('Segmentation') }), object({ problem: ref('Problem') })],
      },
    },
  }),
  CocoInstances: {
    type: 'object',
    description: 'With format=coco: an instances file with one image; `category_id` is the class id.',
    required: ['images', 'annotations', 'categories'],
  },
  LabelStudioTasks: {
    type: 'array',
    description: 'With format=label-studio: one task with a prediction.',
    items: { type: 'object', required: ['data', 'predictions'] },
  },
  FeatureCollection: geoJson,
  ResultLink: object({
    id: { type: 'string' },
    url: text('Where the result lies; needs no further authorisation.'),
    mediaType: { type: 'string' },
    bytes: count('Size of the result.'),
    expires: text('Until when the link works.', { format: 'date-time' }),
  }),
  ModelSummary: modelSummary,
  ModelList: object({ models: { type: 'array', items: ref('ModelSummary') } }),
  Model: object({
    ...modelSummary.properties,
    classes: { type: 'array', items: classOfModel, description: 'All classes, ignored ones too.' },
    card: { type: 'object', description: 'card.json as it was published.' },
  }),
  JobRequest: jobRequest,
  NewJob: object({ id: { ...modelName, description: 'Default: one is made.' }, request: ref('JobRequest') }, ['id']),
  Job: jobState,
  JobList: object({ jobs: { type: 'array', items: ref('Job') }, next: text('Pass as `after` for the next page.') }, [
    'next',
  ]),
  Health: object({ status: { type: 'string', enum: ['ok', 'ready'] } }),
  InferRequest: object(
    {
      id: { type: 'string', maxLength: 200 },
      parameters: { type: 'object' },
      inputs: { type: 'array', minItems: 1, maxItems: 1, items: tensor({ type: 'array', items: { type: 'string' } }) },
      outputs: {
        type: 'array',
        maxItems: 2,
        items: object({ name: { type: 'string' }, parameters: { type: 'object' } }, ['parameters']),
      },
    },
    ['id', 'parameters', 'outputs'],
    {
      description:
        'One input `image` of datatype BYTES and shape [1]: an encoded image, as base64 in `data` or as raw bytes after the JSON (binary extension).',
    },
  ),
  InferResponse: object(
    {
      model_name: { type: 'string' },
      model_version: { type: 'string' },
      id: { type: 'string' },
      outputs: {
        type: 'array',
        items: tensor({ type: 'array', items: { type: 'number' } }),
        description: '`labels`: class ids, UINT16 [1, height, width]; `confidence`: FP32 [1].',
      },
    },
    ['id'],
  ),
  V2Server: object({
    name: { type: 'string' },
    version: { type: 'string' },
    extensions: { type: 'array', items: { type: 'string' } },
  }),
  V2Model: object({
    name: { type: 'string' },
    versions: { type: 'array', items: { type: 'string' } },
    platform: { type: 'string' },
    inputs: { type: 'array', items: tensorInfo() },
    outputs: { type: 'array', items: tensorInfo() },
  }),
  V2Live: object({ live: { type: 'boolean' } }),
  V2Ready: object({ ready: { type: 'boolean' } }),
  V2ModelReady: object({ name: { type: 'string' }, ready: { type: 'boolean' } }),
};

function tensorInfo(): JsonSchema {
  return object({
    name: { type: 'string' },
    datatype: { type: 'string' },
    shape: { type: 'array', items: { type: 'integer' }, description: '−1: any size.' },
  });
}

/** A reference to a schema of this document. */
export const schemaRef = (name: keyof typeof schemas) => ref(name);
