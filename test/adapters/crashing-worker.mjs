/** Stands in for the session's worker: opens anything and answers each run, but ends itself when told to. */
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', ({ kind, feeds }) => {
  if (kind === 'open') return parentPort?.postMessage({ kind: 'ready', inputs: [], outputs: [] });
  if (kind === 'close') return parentPort?.postMessage({ kind: 'closed' });
  if (feeds.exit) process.exit(3);
  if (feeds.error) throw new Error('something\n burst');
  parentPort?.postMessage({ kind: 'done', outputs: {}, feeds });
});
