/** The segmentation API for browsers and Node: every call typed, problems thrown, patience where the service is busy. */
import { problemOf } from './api-problem.ts';
import type {
  BatchRequest,
  BatchResult,
  FeatureCollection,
  Job,
  JobList,
  JobRequest,
  Model,
  ModelList,
  ModelSummary,
  Segmentation,
  SegmentParams,
} from './contract.ts';
import { type ImageInput, imageInJson, outgoingImage, type RequestBody, type SegmentCall } from './image-body.ts';
import { retrying } from './retrying.ts';

export interface ClientOptions {
  /** Sent as `Authorization: Bearer …`; a function is asked for every request, so that tokens may be renewed. */
  readonly token?: string | (() => string | Promise<string>);
  /** How often a request is repeated when the service answers 429 or 503. Default 3. */
  readonly retries?: number;
  /** The longest single wait in seconds; a service that asks for more is not asked again. Default 30. */
  readonly longestWait?: number;
  /** In place of the global `fetch`: for requests that are signed (IAM) or go through a proxy. */
  readonly fetch?: typeof fetch;
}

export interface CallOptions {
  /** Ends the request and any waiting; what the signal was aborted with is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Files of other tools. */
export type ToolFormat = 'coco' | 'cvat' | 'label-studio';

/** An image of a batch. */
export interface NamedImage {
  readonly image: ImageInput;
  /** What the answer calls it. */
  readonly name?: string;
}

export interface JobOptions extends CallOptions {
  /** The job's id; one is made if it is missing. */
  readonly id?: string;
  /** The same key with the same request gives the same job again. Default: a new one per call, so that retries are safe. */
  readonly idempotencyKey?: string;
}

interface Outgoing extends CallOptions {
  readonly method?: 'GET' | 'POST';
  readonly query?: URLSearchParams;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: RequestBody;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A service at an address. Every method throws `ApiProblem` for what the service refuses, and what `fetch` throws where it
 * cannot be reached.
 */
export class SegmentationClient {
  readonly #base: URL;
  readonly #options: ClientOptions;

  /** @param address as `http://localhost:8080`, with a path in front of `/v1` if there is one */
  constructor(address: string | URL, options: ClientOptions = {}) {
    this.#base = new URL(address);
    if (!this.#base.pathname.endsWith('/')) this.#base.pathname += '/';
    this.#options = options;
  }

  /** Classes, segments and figures of one image; the mask too with `outputs: ['mask']`. */
  async segment(image: ImageInput, params: SegmentCall = {}, options: CallOptions = {}): Promise<Segmentation> {
    return this.#json(await this.#segment(image, params, { accept: 'application/json', ...options }));
  }

  /** The label map as a PNG file: pixel value = class id, palette up to 255 classes, 16-bit grey above. */
  async segmentToPng(image: ImageInput, params: SegmentCall = {}, options: CallOptions = {}): Promise<Uint8Array> {
    const response = await this.#segment(image, params, { accept: 'image/png', ...options });
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Outlines as GeoJSON in pixel coordinates. */
  async segmentToGeoJson(
    image: ImageInput,
    params: SegmentCall = {},
    options: CallOptions = {},
  ): Promise<FeatureCollection> {
    return this.#json(await this.#segment(image, params, { accept: 'application/geo+json', ...options }));
  }

  /** A file of another tool, as it is to be written: JSON for COCO and Label Studio, XML for CVAT. */
  async segmentToFile(
    format: ToolFormat,
    image: ImageInput,
    params: SegmentCall = {},
    options: CallOptions = {},
  ): Promise<string> {
    const response = await this.#segment(image, params, { accept: '*/*', ...options }, format);
    return response.text();
  }

  /** Up to 16 images, one result or problem each, in their order. Bytes are sent as base64. */
  async segmentBatch(
    images: readonly NamedImage[],
    params: SegmentParams = {},
    options: CallOptions = {},
  ): Promise<BatchResult['results']> {
    const items = images.map(async ({ image, name }) => ({ image: await imageInJson(image), name }));
    const request: BatchRequest = { images: await Promise.all(items), params };
    const response = await this.#send('v1/segment/batch', { ...options, ...jsonBody(request) });
    return (await this.#json<BatchResult>(response)).results;
  }

  /** The published models, by name. */
  async models(options: CallOptions = {}): Promise<readonly ModelSummary[]> {
    return (await this.#json<ModelList>(await this.#send('v1/models', options))).models;
  }

  /** One model with its card and all its classes. */
  async model(name: string, options: CallOptions = {}): Promise<Model> {
    return this.#json(await this.#send(`v1/models/${encodeURIComponent(name)}`, options));
  }

  /** The jobs by id. @param page `after` is the `next` of the page before */
  async jobs(page: { limit?: number; after?: string } = {}, options: CallOptions = {}): Promise<JobList> {
    const query = new URLSearchParams();
    if (page.limit !== undefined) query.set('limit', String(page.limit));
    if (page.after !== undefined) query.set('after', page.after);
    return this.#json(await this.#send('v1/jobs', { ...options, query }));
  }

  async job(id: string, options: CallOptions = {}): Promise<Job> {
    return this.#json(await this.#send(`v1/jobs/${encodeURIComponent(id)}`, options));
  }

  /** Starts a job, in a service that has a bucket to keep it in. */
  async startJob(request: JobRequest, { id, idempotencyKey, ...options }: JobOptions = {}): Promise<Job> {
    const headers = { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() };
    return this.#json(await this.#send('v1/jobs', { ...options, ...jsonBody({ id, request }), headers }));
  }

  /** Whether a model is loaded and requests can be answered. Asks once. */
  async ready({ signal }: CallOptions = {}): Promise<boolean> {
    const response = await this.#fetch('readyz', { signal });
    await response.body?.cancel();
    return response.ok;
  }

  #segment(image: ImageInput, params: SegmentCall, options: Outgoing, format?: ToolFormat): Promise<Response> {
    const { query, body, contentType } = outgoingImage(image, params);
    if (format !== undefined) query.set('format', format);
    return this.#send('v1/segment', { ...options, method: 'POST', query, body, contentType });
  }

  async #json<T>(response: Response): Promise<T> {
    return (await response.json()) as T;
  }

  #send(path: string, outgoing: Outgoing): Promise<Response> {
    const { retries = 3, longestWait = 30 } = this.#options;
    return retrying({ retries, longestWait }, outgoing.signal, async () => {
      const response = await this.#fetch(path, outgoing);
      if (!response.ok) throw await problemOf(response);
      return response;
    });
  }

  async #fetch(path: string, outgoing: Outgoing): Promise<Response> {
    const { method = 'GET', query, accept = 'application/json', contentType, body, headers, signal } = outgoing;
    const url = new URL(path, this.#base);
    for (const [name, value] of query ?? []) url.searchParams.set(name, value);
    const token = typeof this.#options.token === 'function' ? await this.#options.token() : this.#options.token;
    // The global one wants to be called by its name: browsers refuse it as a method of something else.
    const ask = this.#options.fetch ?? ((...words: Parameters<typeof fetch>) => fetch(...words));
    return ask(url, {
      method,
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
      headers: {
        accept,
        ...(contentType !== undefined && { 'content-type': contentType }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
      },
    });
  }
}

const jsonBody = (document: unknown) =>
  ({ method: 'POST', body: JSON.stringify(document), contentType: 'application/json' }) as const;
