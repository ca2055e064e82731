/** What the building tells the API's door through the environment: names and meaning, for both sides. */
import * as z from 'zod';
import { type Environment, jsonValue, readEnvironment } from './environment.ts';

export const apiSettingNames = {
  /** The bucket with models, jobs and results; also the first that s3Uri may name. */
  bucket: 'SELFLABEL_BUCKET',
  /** Name of the model for requests that name none. */
  model: 'SELFLABEL_MODEL',
  /** Further buckets that s3Uri may name, with commas. */
  imageBuckets: 'SELFLABEL_IMAGE_BUCKETS',
  /** Hosts that url may name, with commas; `*` for any public one. Without: none. */
  urlHosts: 'SELFLABEL_URL_HOSTS',
  /** JSON: {"issuer","audience","keys": address of the JWKS, "scope"?}. Without: the gateway alone decides who may call. */
  token: 'SELFLABEL_TOKEN',
  /** Origin whose pages may call. */
  corsOrigin: 'SELFLABEL_CORS_ORIGIN',
  /** Cores of the function. */
  threads: 'SELFLABEL_THREADS',
} as const;

const list = z
  .string()
  .default('')
  .transform(text =>
    text
      .split(',')
      .map(word => word.trim())
      .filter(Boolean),
  );

const json = (text: unknown): unknown => (text === undefined || text === '' ? undefined : jsonValue(text));

const token = z.strictObject({
  issuer: z.string().min(1),
  audience: z.string().min(1),
  keys: z.url(),
  scope: z.string().optional(),
});

/** What is left empty counts as not given. */
const optional = z
  .string()
  .optional()
  .transform(text => text || undefined);

const settings = z.object({
  [apiSettingNames.bucket]: z.string().min(3),
  [apiSettingNames.model]: optional,
  [apiSettingNames.imageBuckets]: list,
  [apiSettingNames.urlHosts]: list,
  [apiSettingNames.token]: z.preprocess(json, token.optional()),
  [apiSettingNames.corsOrigin]: optional,
  [apiSettingNames.threads]: z.coerce.number().int().min(1).max(64).default(2),
});

export interface ApiSettings {
  readonly bucket: string;
  readonly model: string | undefined;
  readonly imageBuckets: readonly string[];
  readonly urlHosts: readonly string[];
  readonly token: z.output<typeof token> | undefined;
  readonly corsOrigin: string | undefined;
  readonly threads: number;
}

/** @throws PermanentError that names the variable that is missing or wrong */
export function readApiSettings(environment: Environment): ApiSettings {
  const data = readEnvironment(settings, environment);
  return {
    bucket: data[apiSettingNames.bucket],
    model: data[apiSettingNames.model],
    imageBuckets: data[apiSettingNames.imageBuckets],
    urlHosts: data[apiSettingNames.urlHosts],
    token: data[apiSettingNames.token],
    corsOrigin: data[apiSettingNames.corsOrigin],
    threads: data[apiSettingNames.threads],
  };
}
