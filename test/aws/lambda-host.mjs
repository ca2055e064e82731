/** Lambda and its event sources, as a process that may be killed: polls queues, invokes the bundled functions, deletes what did not fail. */
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

/** @type {Record<string, string>} address of its queue by function */
const sources = JSON.parse(String(process.env.SOURCES));
const { AWS_ENDPOINT_URL: endpoint } = process.env;
const sqs = new SQSClient(endpoint ? { endpoint } : {});
let invocations = 0;
const context = () => ({ awsRequestId: `request-${++invocations}`, getRemainingTimeInMillis: () => 900_000 });

/** @param {string} url @param {number} seconds */
async function receive(url, seconds) {
  const query = { QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: seconds };
  return (await sqs.send(new ReceiveMessageCommand(query))).Messages ?? [];
}

/** As a batch window gathers them. @param {string} url */
async function batchFrom(url) {
  const messages = await receive(url, 1);
  while (messages.length > 0 && messages.length < 250) {
    const more = await receive(url, 0);
    if (more.length === 0) break;
    messages.push(...more);
  }
  return messages;
}

/** @param {string} name @param {string} url */
async function serve(name, url) {
  const { handler } = await import(new URL(`../../dist/functions/${name}.mjs`, import.meta.url).href);
  for (;;) {
    const messages = await batchFrom(url).catch(() => []);
    if (messages.length === 0) continue;
    const Records = messages.map(({ MessageId, Body }) => ({ messageId: MessageId, body: Body }));
    const { batchItemFailures } = await handler({ Records }, context());
    const failed = new Set(batchItemFailures.map((/** @type {{ itemIdentifier: string }} */ f) => f.itemIdentifier));
    for (const { MessageId, ReceiptHandle } of messages) {
      if (failed.has(MessageId)) continue;
      await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle })).catch(() => undefined);
    }
  }
}

async function tick() {
  const { handler } = await import(new URL('../../dist/functions/backlog.mjs', import.meta.url).href);
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 3000));
    await handler({}, context()).catch((/** @type {Error} */ error) =>
      console.log(JSON.stringify({ tick: error.message })),
    );
  }
}

await Promise.all([...Object.entries(sources).map(([name, url]) => serve(name, url)), tick()]);
