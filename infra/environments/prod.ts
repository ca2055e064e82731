/** prod: no way to the internet, nothing expires that somebody may want. The account is named here or with `-c account=…`. */
import type { EnvironmentFile } from '../environment.ts';

export const prod: EnvironmentFile = {
  network: 'isolated',
  compute: 'spot',
  gpuInstances: ['g6.2xlarge', 'g5.2xlarge', 'g6.xlarge', 'g5.xlarge', 'g4dn.2xlarge'],
  maxGpus: 16,
  piecesPerTask: 4,
  keepData: true,
  expire: {},
  logDays: 365,
  monthlyBudget: 2000,
  api: {
    kind: 'lambda',
    auth: { kind: 'iam' },
    waf: true,
    requestsPerSecond: 50,
    burst: 100,
    requestsPerDay: 1_000_000,
    memoryMb: 3538,
    warm: 1,
  },
};
