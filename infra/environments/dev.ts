/** dev: for trying things; costs nothing while idle, and is gone after `cdk destroy`. */
import type { EnvironmentFile } from '../environment.ts';

export const dev: EnvironmentFile = {
  network: 'public',
  compute: 'spot',
  gpuInstances: ['g6.xlarge', 'g5.xlarge', 'g4dn.xlarge'],
  maxGpus: 2,
  piecesPerTask: 4,
  keepData: false,
  expire: { jobs: 30, live: 7 },
  logDays: 7,
  monthlyBudget: 50,
  api: {
    kind: 'lambda',
    auth: { kind: 'iam' },
    waf: false,
    requestsPerSecond: 5,
    burst: 10,
    requestsPerDay: 10_000,
    memoryMb: 3538,
    warm: 0,
  },
};
