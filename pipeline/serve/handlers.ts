/** What each operation of the document does. */

import type { SegmentOutputs } from '#core/api/segments';
import { keptClasses } from '#core/labels/class-map';
import type { Turnstile } from '#core/turnstile';
import { mapInOrder } from '../in-flight.ts';
import { programVersion } from '../version.ts';
import type { Admission } from './admission.ts';
import {
  type Answer,
  answerOf,
  jsonAnswer,
  regionsFor,
  type Segmented,
  segmentationOf,
  type ToolFormat,
} from './answer.ts';
import type { ServeLimits, ServePorts } from './api-ports.ts';
import { type ImageSource, readImageBytes } from './image-bytes.ts';
import { inferAnswer, inferModel, jsonLengthHeader, readInferRequest } from './infer.ts';
import type { NewJob } from './job-requests.ts';
import type { ModelFacts, ModelShelf, ServedModel } from './model-shelf.ts';
import { Problem } from './problem.ts';
import { parseJson } from './request-body.ts';
import { type SegmentParams, segmentImage } from './segment-image.ts';
import { document, validate } from './validation.ts';

/** A request that is known to fit the document, its body apart. */
export interface Call {
  readonly id: string;
  /** Names in the path. */
  readonly names: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly header: Readonly<Record<string, unknown>>;
  /** The media type to answer in. */
  readonly accept: string;
  readonly bodyType: string;
  readonly body: Uint8Array;
  /** Whose token it came with; empty without. */
  readonly subject: string;
}

export interface World {
  readonly ports: ServePorts;
  readonly limits: ServeLimits;
  readonly shelf: ModelShelf;
  /** Images worked on at once. */
  readonly turns: Turnstile;
  readonly admission: Admission;
}

export interface Answered {
  readonly answer: Answer;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

type Handler = (world: World, call: Call) => Promise<Answered>;

const answered = (value: unknown): Answered => ({ answer: jsonAnswer(value) });

interface Wanted {
  readonly image: ImageSource | Uint8Array;
  readonly params: SegmentParams;
  readonly name: string;
}

/** The name of an image that was given none. */
const unnamed = 'image.jpg';

/** Half a character is no text that other formats could hold. */
const wellFormed = (name: string): string => name.replace(/\p{Surrogate}/gu, '\ufffd');

function wantedOf({ body, bodyType, query }: Call): Wanted {
  const { name = unnamed, format: _, ...params } = query as SegmentParams & { name?: string; format?: string };
  if (bodyType !== 'application/json') return { image: body, params, name: wellFormed(name) };
  const request = validate<{ image: ImageSource; params?: SegmentParams; name?: string }>(
    'SegmentRequest',
    parseJson(body),
  );
  return { image: request.image, params: { ...params, ...request.params }, name: wellFormed(request.name ?? name) };
}

/** Fetches the image and segments it. What is fetched counts as held, like bodies. */
async function segmented(
  { ports, limits, turns, admission }: World,
  id: string,
  model: ServedModel,
  { image, params, name }: Wanted,
  segments: SegmentOutputs | undefined,
): Promise<Segmented> {
  const asked = ports.clock.now();
  const given = image instanceof Uint8Array || image.base64 !== undefined;
  const letGo = given ? () => undefined : admission.hold(limits.imageBytes);
  try {
    const bytes = image instanceof Uint8Array ? image : await readImageBytes(ports, limits, image);
    return await turns.run(async () => {
      const wait = ports.clock.now() - asked;
      const result = await segmentImage(ports, limits, model, bytes, params, segments);
      return { id, name, model, image: result, wait, params };
    });
  } finally {
    letGo();
  }
}

const segment: Handler = async (world, call) => {
  const wanted = wantedOf(call);
  return world.shelf.use(wanted.params.model, async model => {
    const format = call.query.format as ToolFormat | undefined;
    const result = await segmented(world, call.id, model, wanted, regionsFor(wanted.params, call.accept, format));
    return { answer: await answerOf(world.ports, result, call.accept, format) };
  });
};

interface Batch {
  readonly images: readonly { readonly image: ImageSource; readonly name?: string }[];
  readonly params?: SegmentParams;
}

const segmentBatch: Handler = async (world, { id, body }) => {
  const { images, params = {} } = validate<Batch>('BatchRequest', parseJson(body));
  return world.shelf.use(params.model, async model => {
    const one = async ({ image, name = unnamed }: Batch['images'][number], i: number): Promise<object> => {
      try {
        const wanted = { image, params, name: wellFormed(name) };
        const result = await segmented(world, `${id}-${i}`, model, wanted, regionsFor(params));
        return { segmentation: await segmentationOf(world.ports, result) };
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return { problem: error.document(`${id}-${i}`) };
      }
    };
    const results: object[] = [];
    for await (const result of mapInOrder(images, world.ports.tuning.threads + 1, one)) results.push(result);
    return answered({ id, results });
  });
};

async function summaryOf({ shelf }: World, { name, card, sha256, classes }: ModelFacts) {
  const preferred = await shelf.preferredName();
  return {
    name,
    version: card.modelVersion,
    sha256,
    created: card.created,
    classes: keptClasses(classes).length,
    decision: card.decision.kind,
    default: preferred === name,
  };
}

/** What cannot be used is left out of the list: asking for it by name says why. */
const listModels: Handler = async world => {
  const models: object[] = [];
  for (const name of await world.shelf.names()) {
    const found = await world.shelf
      .look(name)
      .then(model => summaryOf(world, model))
      .catch((error: unknown) => {
        if (error instanceof Problem) return undefined;
        throw error;
      });
    if (found) models.push(found);
  }
  return answered({ models });
};

const getModel: Handler = async (world, { names }) => {
  const model = await world.shelf.look(names.name!);
  const classes = model.classes.classes.map(({ id, name, color, ignore }) => ({ id, name, color, ignore }));
  return answered({ ...(await summaryOf(world, model)), classes, card: model.card });
};

/** What few requests need is loaded for the first of them: it would hold up the start. */
const jobRequests = () => import('./job-requests.ts');

const jobList: Handler = async ({ ports }, { query }) => {
  const { listJobs } = await jobRequests();
  return answered(await listJobs(ports, (query.limit as number | undefined) ?? 50, query.after as string | undefined));
};

const newJob: Handler = async ({ ports }, { body, header, subject }) => {
  const job = validate<NewJob>('NewJob', parseJson(body));
  const { createJob } = await jobRequests();
  const made = await createJob(ports, job, header['Idempotency-Key'] as string | undefined, subject);
  return { ...answered(made), status: 201, headers: { location: `/v1/jobs/${made.id}` } };
};

/** Loads the default model if need be. @throws Problem 503 */
const assertReady = ({ shelf }: World): Promise<void> => shelf.use(undefined, async () => undefined);

const infer: Handler = async (world, { id, names, body, bodyType, header }) => {
  const jsonLength = header[jsonLengthHeader] as number | undefined;
  if (bodyType === 'application/octet-stream' && jsonLength === undefined) {
    throw new Problem('malformed', `${jsonLengthHeader} is missing`);
  }
  const { request, image } = readInferRequest(body, jsonLength);
  return world.shelf.use(names.name, async model => {
    const result = await segmented(world, id, model, { image, params: {}, name: unnamed }, undefined);
    return inferAnswer(result, request);
  });
};

const playground: Handler = async () => {
  const { playgroundPage, playgroundPolicy } = await import('#core/pages/playground');
  const bytes = new TextEncoder().encode(playgroundPage({ version: programVersion }));
  return {
    answer: { mediaType: 'text/html', extension: 'html', bytes },
    headers: { 'content-security-policy': playgroundPolicy },
  };
};

/** By operation id. */
export const handlers: Readonly<Record<string, Handler>> = {
  segment,
  segmentBatch,
  listModels,
  getModel,
  listJobs: jobList,
  createJob: newJob,
  getJob: async ({ ports }, { names }) => {
    const { readJob } = await jobRequests();
    return answered(await readJob(ports, names.id!));
  },
  health: async () => answered({ status: 'ok' }),
  ready: async world => {
    await assertReady(world);
    return answered({ status: 'ready' });
  },
  openapi: async () => answered(document),
  playground,
  v2Server: async () => answered({ name: 'selflabel', version: programVersion, extensions: ['binary_tensor_data'] }),
  v2Live: async () => answered({ live: true }),
  v2Ready: async world => {
    await assertReady(world);
    return answered({ ready: true });
  },
  v2Model: async ({ shelf }, { names }) => answered(inferModel(await shelf.look(names.name!))),
  v2ModelReady: (world, { names }) => world.shelf.use(names.name, async ({ name }) => answered({ name, ready: true })),
  v2Infer: infer,
};
