/** Door: a zip under submissions/<protocol>/ in, its line in leaderboard/<protocol>.json out. */
import { S3Store } from '#adapters/aws/s3-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { nodeZlib } from '#adapters/local/node-zlib';
import { systemClock } from '#adapters/local/system-clock';
import { ZipArchive } from '#adapters/zip/zip-archive';
import { type ScoringPorts, scoreUpload } from '#pipeline/score-submission';
import { readScoreSettings } from '#pipeline/settings';
import type { LambdaContext, SqsBatchResponse, SqsEvent } from './sqs-event.ts';

const { bucket, masksBucket } = readScoreSettings(process.env);
const store = new S3Store({ bucket });
const ports: ScoringPorts = {
  store,
  truth: new S3Store({ bucket: masksBucket }),
  openZip: (bytes, name) => ZipArchive.open(Buffer.from(bytes), name),
  images: nodeZlib,
  digest: nodeDigest,
  clock: systemClock,
  log: { progress: () => undefined, note: () => undefined },
  threads: 8,
};

export async function handler({ Records }: SqsEvent, { awsRequestId }: LambdaContext): Promise<SqsBatchResponse> {
  const failed: { itemIdentifier: string }[] = [];
  for (const { messageId, body } of Records) {
    try {
      for (const { key, state, reason } of await scoreUpload(ports, store, body)) {
        console.log(JSON.stringify({ function: 'score', requestId: awsRequestId, key, state, reason }));
      }
    } catch (error) {
      console.log(JSON.stringify({ function: 'score', requestId: awsRequestId, error: (error as Error).message }));
      failed.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures: failed };
}
