/** staging: like prod, smaller; data may expire. */
import type { EnvironmentFile } from '../environment.ts';

export const staging: EnvironmentFile = {
  network: 'nat',
  compute: 'spot',
  gpuInstances: ['g6.xlarge', 'g5.xlarge', 'g6.2xlarge', 'g5.2xlarge', 'g4dn.xlarge'],
  maxGpus: 4,
  piecesPerTask: 4,
  keepData: true,
  expire: { jobs: 90, live: 30 },
  logDays: 30,
  monthlyBudget: 300,
  api: {
    kind: 'lambda',
    auth: { kind: 'iam' },
    waf: false,
    requestsPerSecond: 20,
    burst: 40,
    requestsPerDay: 100_000,
    memoryMb: 3538,
    warm: 0,
  },
};
