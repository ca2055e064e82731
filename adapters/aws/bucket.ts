/** One bucket, and how it is asked: the client, its time limits and its patience. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { usualPartBytes } from '#core/job/requests';
import { type Answer, ask, type Patience, timeLimits, usualPatience } from './ask.ts';

export interface BucketOptions {
  readonly bucket: string;
  /** Region, endpoint, credentials. Default: what the environment says. */
  readonly client?: S3ClientConfig;
  readonly patience?: Patience;
  /** Larger objects are written and read in parts of this size. S3 takes no smaller parts than 5 MiB. Default 256 MiB: every part is a request that is paid for. */
  readonly partBytes?: number;
}

export class Bucket {
  readonly name: string;
  readonly s3: S3Client;
  readonly patience: Patience;
  readonly partBytes: number;

  constructor({ bucket, client = {}, patience = usualPatience, partBytes = usualPartBytes }: BucketOptions) {
    this.name = bucket;
    this.patience = patience;
    this.partBytes = partBytes;
    // One try per call: `ask` tries again, and has to know whether an earlier try may have had its effect.
    this.s3 = new S3Client({ requestHandler: timeLimits, ...client, maxAttempts: 1 });
  }

  /** @param verb for errors: "read", "write", … */
  ask<T>(verb: string, key: string, act: () => Promise<T>, contended: 'again' | 'tell' = 'again'): Promise<Answer<T>> {
    return ask(this.patience, `${verb} ${key} (bucket ${this.name})`, act, contended);
  }

  /** Where the object lies. */
  at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.name, Key: key };
  }
}
