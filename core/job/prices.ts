/** What AWS asks for, as a table with a date: the one place of every price. Look them up anew before you rely on them. */

export interface InstancePrice {
  readonly gpu: string;
  /** Memory of the GPU, in GB. */
  readonly gpuMemory: number;
  readonly cores: number;
  /** Dollars per hour. Spot prices move with place and day: what stands here is assumed. */
  readonly onDemand: number;
  readonly spot: number;
  /** Peak float32 rate of the GPU's data sheet, in 10¹² operations a second. */
  readonly teraflops: number;
}

export const prices = {
  region: 'us-east-1',
  /** g5.xlarge on demand was looked up; all others are from memory and were not checked again. */
  date: '2026-06',
  source: 'AWS public price pages (https://aws.amazon.com/ec2/pricing/, /s3/pricing/, /sqs/pricing/, /lambda/pricing/)',
  instances: {
    'g4dn.xlarge': { gpu: 'T4', gpuMemory: 16, cores: 4, onDemand: 0.526, spot: 0.21, teraflops: 8.1 },
    'g5.xlarge': { gpu: 'A10G', gpuMemory: 24, cores: 4, onDemand: 1.006, spot: 0.42, teraflops: 31.2 },
    'g6.xlarge': { gpu: 'L4', gpuMemory: 24, cores: 4, onDemand: 0.805, spot: 0.34, teraflops: 30.3 },
  } satisfies Record<string, InstancePrice>,
  /** Machines that environments may name beside those above: the same GPU, eight cores. Dollars per hour. */
  larger: {
    'g4dn.2xlarge': { onDemand: 0.752, spot: 0.3 },
    'g5.2xlarge': { onDemand: 1.212, spot: 0.51 },
    'g6.2xlarge': { onDemand: 0.978, spot: 0.42 },
  } satisfies Record<string, Pick<InstancePrice, 'onDemand' | 'spot'>>,
  /** Dollars per million requests. */
  s3Put: 5,
  s3List: 5,
  s3Get: 0.4,
  sqs: 0.4,
  lambda: 0.2,
  /** Dollars per GB and month, and per GB and second of a running function. */
  s3Storage: 0.023,
  lambdaGigabyteSecond: 0.0000166667,
} as const;

export type InstanceType = keyof typeof prices.instances;
export const instanceTypes = Object.keys(prices.instances) as InstanceType[];

/** @returns undefined for a machine that is not in the table */
export function dollarsPerHour(type: string, market: 'spot' | 'on-demand'): number | undefined {
  const known: Record<string, Pick<InstancePrice, 'onDemand' | 'spot'>> = { ...prices.instances, ...prices.larger };
  const price = Object.hasOwn(known, type) ? known[type] : undefined;
  return market === 'spot' ? price?.spot : price?.onDemand;
}
