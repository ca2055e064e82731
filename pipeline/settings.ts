/** The environment variables by which the building tells the doors where things are: names and meaning, for both sides. */
import { z } from 'zod';
import { PermanentError } from '#core/errors';
import { sayIssues } from '#core/job/request';
import { stages } from '#core/job/stage';

export const settingNames = {
  bucket: 'SELFLABEL_BUCKET',
  /** JSON: the address of the queue of each stage. */
  workQueues: 'SELFLABEL_WORK_QUEUES',
  controlQueue: 'SELFLABEL_CONTROL_QUEUE',
  /** The bucket of hidden masks; only `score` needs it. */
  masksBucket: 'SELFLABEL_MASKS_BUCKET',
} as const;

const cloud = z.object({
  [settingNames.bucket]: z.string().min(3),
  [settingNames.workQueues]: z.preprocess(parsed, z.record(z.enum(stages), z.url())),
  [settingNames.controlQueue]: z.url(),
});

export interface CloudSettings {
  readonly bucket: string;
  readonly workQueues: Readonly<Record<(typeof stages)[number], string>>;
  readonly controlQueue: string;
}

/** @throws PermanentError that names the variable that is missing or wrong */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): CloudSettings {
  const read = cloud.safeParse(environment);
  if (!read.success) throw new PermanentError(`the environment is not usable: ${sayIssues(read.error)}`);
  return {
    bucket: read.data[settingNames.bucket],
    workQueues: read.data[settingNames.workQueues],
    controlQueue: read.data[settingNames.controlQueue],
  };
}

const scoring = z.object({
  [settingNames.bucket]: z.string().min(3),
  [settingNames.masksBucket]: z.string().min(3),
});

/** What scoring submissions needs. @throws PermanentError that names the variable that is missing or wrong */
export function readScoreSettings(environment: Readonly<Record<string, string | undefined>>): {
  readonly bucket: string;
  readonly masksBucket: string;
} {
  const read = scoring.safeParse(environment);
  if (!read.success) throw new PermanentError(`the environment is not usable: ${sayIssues(read.error)}`);
  return { bucket: read.data[settingNames.bucket], masksBucket: read.data[settingNames.masksBucket] };
}

/** What is no JSON is left to the schema to complain about. */
function parsed(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return text;
  }
}
