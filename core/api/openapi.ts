/** The API in one OpenAPI 3.1 document: what the server validates by, what it serves at /openapi.json, what clients are checked against. A table, hence long. */
import { namePattern } from './limits.ts';
import { type JsonSchema, paramSchemas, schemaRef, schemas } from './schemas.ts';

export type HttpMethod = 'get' | 'post';

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
  /** false: a list is written with commas. */
  readonly explode?: boolean;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly required: true;
    readonly content: Readonly<Record<string, { schema?: JsonSchema }>>;
  };
  readonly responses: Readonly<Record<string, ApiResponse | { $ref: string }>>;
  /** Empty: answered without a token where tokens are asked for. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
}

export interface ApiResponse {
  readonly description: string;
  readonly headers?: JsonSchema;
  readonly content?: Readonly<Record<string, { schema?: JsonSchema }>>;
}

/** Media types of images that are taken as a whole body. */
export const imageTypes = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/tiff', 'image/avif'] as const;

export const problemType = 'application/problem+json';

const json = (name: keyof typeof schemas) => ({ 'application/json': { schema: schemaRef(name) } });
const ok = (description: string, name: keyof typeof schemas): ApiResponse => ({ description, content: json(name) });

const problemDescriptions = {
  400: 'Malformed: the body is no JSON, or a value violates this document.',
  401: 'The token is missing or not valid.',
  403: 'Not allowed: a foreign bucket, an address that is not public, a token without the right scope.',
  404: 'No such route, model or job.',
  406: 'None of the accepted media types is offered.',
  413: 'The body or the image is too large.',
  415: 'The body is neither an image nor JSON.',
  422: 'Well-formed, but not usable: not a readable image, unknown class ids, a threshold the model does not have.',
  429: 'Too much at once; try again after Retry-After seconds.',
  503: 'No model is published yet, or the server is stopping; the detail says which.',
} as const;

type ProblemStatus = keyof typeof problemDescriptions;

const problems = (...statuses: ProblemStatus[]) =>
  Object.fromEntries(statuses.map(status => [status, { $ref: `#/components/responses/${status}` }]));

const query = (name: keyof typeof paramSchemas): Parameter => ({
  name,
  in: 'query',
  schema: paramSchemas[name],
  ...(paramSchemas[name].type === 'array' && { explode: false }),
});

const format: Parameter = {
  name: 'format',
  in: 'query',
  schema: { type: 'string', enum: ['coco', 'cvat', 'label-studio'] },
  description: 'The answer as a file of another tool: COCO instances, CVAT for images 1.1, Label Studio tasks.',
};

const nameInQuery: Parameter = {
  name: 'name',
  in: 'query',
  schema: { type: 'string', maxLength: 200 },
  description: 'What the answer calls the image.',
};

const pathName = (name: string, what: string): Parameter => ({
  name,
  in: 'path',
  required: true,
  description: what,
  schema: { type: 'string', pattern: namePattern },
});

const binary = { schema: { type: 'string', format: 'binary' } };
const open = { security: [] };

const tooLarge: ApiResponse = {
  description: 'The result is too large for one answer; it lies at Location for a while.',
  headers: { Location: { schema: { type: 'string' } } },
  content: json('ResultLink'),
};

const segmentQuery = [...(Object.keys(paramSchemas) as (keyof typeof paramSchemas)[]).map(query), nameInQuery, format];

const paths: Readonly<Record<string, Partial<Record<HttpMethod, Operation>>>> = {
  '/v1/segment': {
    post: {
      operationId: 'segment',
      summary: 'Segments one image',
      description:
        'The body is the image itself, or JSON that says where it is. With an image as body the parameters stand in the query, with JSON in `params`. `Accept` chooses the answer; `format` makes it a file of another tool.',
      tags: ['segmentation'],
      parameters: segmentQuery,
      requestBody: {
        required: true,
        content: {
          ...Object.fromEntries(imageTypes.map(type => [type, binary])),
          'application/octet-stream': binary,
          ...json('SegmentRequest'),
        },
      },
      responses: {
        200: {
          description: 'The segmentation.',
          content: {
            'application/json': {
              schema: { anyOf: [schemaRef('Segmentation'), schemaRef('CocoInstances'), schemaRef('LabelStudioTasks')] },
            },
            'image/png': binary,
            'application/geo+json': { schema: schemaRef('FeatureCollection') },
            'application/xml': { schema: { type: 'string' } },
          },
        },
        303: tooLarge,
        ...problems(400, 401, 403, 404, 406, 413, 415, 422, 429, 503),
      },
    },
  },
  '/v1/segment/batch': {
    post: {
      operationId: 'segmentBatch',
      summary: 'Segments up to 16 images',
      description: 'One result or problem per image, in their order; one bad image spoils no other.',
      tags: ['segmentation'],
      requestBody: { required: true, content: json('BatchRequest') },
      responses: {
        200: ok('One result per image.', 'BatchResult'),
        303: tooLarge,
        ...problems(400, 401, 403, 404, 406, 413, 415, 422, 429, 503),
      },
    },
  },
  '/v1/models': {
    get: {
      operationId: 'listModels',
      summary: 'The published models',
      tags: ['models'],
      responses: {
        200: ok('By name; empty until one is published.', 'ModelList'),
        ...problems(400, 401, 403, 406, 429, 503),
      },
    },
  },
  '/v1/models/{name}': {
    get: {
      operationId: 'getModel',
      summary: 'One model with its card and classes',
      tags: ['models'],
      parameters: [pathName('name', 'Name of the model.')],
      responses: { 200: ok('The model.', 'Model'), ...problems(400, 401, 403, 404, 406, 429, 503) },
    },
  },
  '/v1/jobs': {
    get: {
      operationId: 'listJobs',
      summary: 'The jobs',
      tags: ['jobs'],
      parameters: [
        { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100, default: 50 } },
        {
          name: 'after',
          in: 'query',
          schema: { type: 'string', pattern: namePattern },
          description: 'Id of the last job seen.',
        },
      ],
      responses: { 200: ok('By id.', 'JobList'), ...problems(400, 401, 403, 406, 429, 503) },
    },
    post: {
      operationId: 'createJob',
      summary: 'Starts a job',
      description:
        'Writes the request object that starts the job. The same Idempotency-Key with the same body gives the same job again, with another body 422.',
      tags: ['jobs'],
      parameters: [
        {
          name: 'Idempotency-Key',
          in: 'header',
          schema: { type: 'string', minLength: 1, maxLength: 200, pattern: '^[\\x21-\\x7e]+$' },
          description: 'Any text that names this wish.',
        },
      ],
      requestBody: { required: true, content: json('NewJob') },
      responses: {
        201: {
          description: 'The job as it begins, or as it is where it was asked for before.',
          headers: { Location: { schema: { type: 'string' } } },
          content: json('Job'),
        },
        ...problems(400, 401, 403, 406, 413, 415, 422, 429, 503),
      },
    },
  },
  '/v1/jobs/{id}': {
    get: {
      operationId: 'getJob',
      summary: 'One job',
      tags: ['jobs'],
      parameters: [pathName('id', 'Id of the job.')],
      responses: { 200: ok('Its state.', 'Job'), ...problems(400, 401, 403, 404, 406, 429, 503) },
    },
  },
  '/healthz': {
    get: {
      operationId: 'health',
      summary: 'Whether the process answers',
      tags: ['health'],
      ...open,
      responses: { 200: ok('It does.', 'Health'), ...problems(400, 406) },
    },
  },
  '/readyz': {
    get: {
      operationId: 'ready',
      summary: 'Whether a model is loaded',
      tags: ['health'],
      ...open,
      responses: { 200: ok('Requests can be answered.', 'Health'), ...problems(400, 406, 503) },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'openapi',
      summary: 'This document',
      tags: ['about'],
      ...open,
      responses: {
        200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: { type: 'object' } } } },
        ...problems(400, 406),
      },
    },
  },
  '/': {
    get: {
      operationId: 'playground',
      summary: 'A page to try the API in',
      tags: ['about'],
      ...open,
      responses: {
        200: { description: 'HTML.', content: { 'text/html': { schema: { type: 'string' } } } },
        ...problems(400, 404, 406),
      },
    },
  },
  '/v2': {
    get: {
      operationId: 'v2Server',
      summary: 'KServe v2: the server',
      tags: ['kserve'],
      ...open,
      responses: { 200: ok('Name, version, extensions.', 'V2Server'), ...problems(400, 406) },
    },
  },
  '/v2/health/live': {
    get: {
      operationId: 'v2Live',
      summary: 'KServe v2: liveness',
      tags: ['kserve'],
      ...open,
      responses: { 200: ok('Alive.', 'V2Live'), ...problems(400, 406) },
    },
  },
  '/v2/health/ready': {
    get: {
      operationId: 'v2Ready',
      summary: 'KServe v2: readiness',
      tags: ['kserve'],
      ...open,
      responses: { 200: ok('Ready.', 'V2Ready'), ...problems(400, 406, 503) },
    },
  },
  '/v2/models/{name}': {
    get: {
      operationId: 'v2Model',
      summary: 'KServe v2: a model’s tensors',
      tags: ['kserve'],
      parameters: [pathName('name', 'Name of the model.')],
      responses: { 200: ok('Inputs and outputs.', 'V2Model'), ...problems(400, 401, 403, 404, 406, 429, 503) },
    },
  },
  '/v2/models/{name}/ready': {
    get: {
      operationId: 'v2ModelReady',
      summary: 'KServe v2: readiness of a model',
      tags: ['kserve'],
      parameters: [pathName('name', 'Name of the model.')],
      responses: { 200: ok('Ready.', 'V2ModelReady'), ...problems(400, 401, 403, 404, 406, 429, 503) },
    },
  },
  '/v2/models/{name}/infer': {
    post: {
      operationId: 'v2Infer',
      summary: 'KServe v2: inference',
      description:
        'With the binary extension the JSON comes first, Inference-Header-Content-Length says how long it is, and the tensor’s bytes follow.',
      tags: ['kserve'],
      parameters: [
        pathName('name', 'Name of the model.'),
        {
          name: 'Inference-Header-Content-Length',
          in: 'header',
          schema: { type: 'integer', minimum: 2 },
          description: 'Bytes of JSON before the binary data.',
        },
      ],
      requestBody: {
        required: true,
        content: { ...json('InferRequest'), 'application/octet-stream': binary },
      },
      responses: {
        200: {
          description: 'The outputs; with `binary_data` as bytes after the JSON.',
          content: { ...json('InferResponse'), 'application/octet-stream': binary },
        },
        303: tooLarge,
        ...problems(400, 401, 403, 404, 406, 413, 415, 422, 429, 503),
      },
    },
  },
};

const responses = Object.fromEntries(
  Object.entries(problemDescriptions).map(([status, description]) => [
    status,
    { description, content: { [problemType]: { schema: schemaRef('Problem') } } },
  ]),
);

/** The document. @param version of the program */
export const openApi = (version: string) => ({
  openapi: '3.1.0',
  info: {
    title: 'selflabel segmentation API',
    version,
    summary: 'Images in; class ids per pixel, segments and masks out.',
    description:
      'Label maps are the same as those of `selflabel predict`, with the names, merges and ignores of classes.json applied. Every answer carries X-Request-Id; errors are application/problem+json.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/' }],
  security: [{ bearer: [] }],
  paths,
  components: {
    schemas,
    responses,
    securitySchemes: {
      bearer: {
        type: 'http',
        scheme: 'bearer',
        bearerFormat: 'JWT',
        description: 'Where the server asks for it; on AWS requests are signed (IAM) by default.',
      },
    },
  },
});

export type OpenApiDocument = ReturnType<typeof openApi>;

/** One route of the document. */
export interface Route {
  readonly path: string;
  readonly method: HttpMethod;
  readonly operation: Operation;
}

/** Every route, in the document's order. */
export const routes: readonly Route[] = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method as HttpMethod, operation })),
);
