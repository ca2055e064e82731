/** `npm run test:aws`: tests against an S3 and SQS server on this machine. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/aws/**/*.test.ts'],
    globalSetup: ['test/build-once.ts', 'test/aws/server.ts'],
    pool: 'forks',
    // Most of the time these wait: for leases to end, for messages to come again.
    maxWorkers: 4,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
