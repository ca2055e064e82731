/** `selflabel estimate`: hours and dollars of a job in the cloud, before it is begun. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { UsageError } from '#core/errors';
import { type Estimate, type EstimateQuestion, estimate, type NetworkName, networkCosts } from '#core/job/estimate';
import { type InstanceType, instanceTypes, prices } from '#core/job/prices';
import { allRequests } from '#core/job/requests';
import { integer, oneOf } from './options.ts';
import { duration, grouped } from './status-text.ts';
import { textTable } from './text-table.ts';

interface EstimateOptions {
  readonly images: number;
  readonly size: number;
  readonly backbone: string;
  readonly gflops?: number;
  readonly instance: InstanceType;
  readonly onDemand?: boolean;
  readonly machines: number;
  readonly embedRate?: number;
  readonly labelRate?: number;
  readonly dimension: number;
  readonly loose?: boolean;
  readonly json?: boolean;
}

export function registerEstimate(program: Command): void {
  program
    .command('estimate')
    .description('hours and dollars of a job on AWS, before it is begun')
    .requiredOption('--images <n>', 'how many photos', integer(1, 10_000_000_000))
    .option('--size <kb>', 'mean size of a photo in KB', positive, 110)
    .option(
      '--backbone <name>',
      `kind of network: ${Object.keys(networkCosts).join(', ')}`,
      oneOf(...Object.keys(networkCosts)),
      'resnet50',
    )
    .option('--gflops <n>', 'instead: operations of one pass at 256 pixels, in 10⁹', positive)
    .option('--dimension <n>', 'numbers per vector of the network', integer(1, 100_000), 384)
    .option('--instance <type>', instanceTypes.join(', '), oneOf(...instanceTypes), 'g6.xlarge')
    .option('--on-demand', 'not on Spot')
    .option('--machines <n>', 'how many at once', integer(1, 10_000), 4)
    .option(
      '--embed-rate <n>',
      'photos a second of one machine, as a receipt or `doctor` says; with --label-rate',
      positive,
    )
    .option('--label-rate <n>', 'the same in the labelling pass', positive)
    .option('--loose', 'one object per photo instead of tar archives')
    .option('--json', 'print the estimate as one JSON line on stdout')
    .addHelpText(
      'after',
      `\nPrices: ${prices.region}, ${prices.date}. Without rates of yours they are assumed; see docs/cost.md.`,
    )
    .action((options: EstimateOptions) => {
      const question = questionOf(options);
      const answer = estimate(question);
      process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : estimateText(question, answer));
    });
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && Number.isFinite(value)))
    throw new InvalidArgumentError('expected a number above 0');
  return value;
}

/** @throws UsageError for one rate without the other */
export function questionOf(options: EstimateOptions): EstimateQuestion {
  const { embedRate, labelRate } = options;
  if ((embedRate === undefined) !== (labelRate === undefined))
    throw new UsageError('--embed-rate and --label-rate belong together: give both or none');
  return {
    images: options.images,
    imageBytes: options.size * 1000,
    gigaflops: options.gflops ?? networkCosts[options.backbone as NetworkName],
    instance: options.instance,
    market: options.onDemand ? 'on-demand' : 'spot',
    machines: options.machines,
    ...(embedRate && labelRate && { measured: { embed: embedRate, label: labelRate } }),
    packed: !options.loose,
    dimension: options.dimension,
  };
}

const money = (dollars: number): string => (dollars >= 0.01 ? `$${dollars.toFixed(2)}` : `$${dollars.toFixed(4)}`);

/** Never 0: every machine labels something. */
const perSecond = (rate: number): string => (rate >= 10 ? rate.toFixed(0) : String(Number(rate.toPrecision(2))));

export function estimateText(question: EstimateQuestion, { rates, hours, requests, dollars }: Estimate): string {
  const { images, machines, instance, market } = question;
  const source = rates.limit === 'measured' ? 'as measured' : `assumed; ${rates.limit} limits, nobody has measured it`;
  const head = `${grouped(images)} photos on ${machines} × ${instance} (${market}): ${duration(hours * 3600)}, ${money(dollars.total)}\n`;
  const rate = `${perSecond(rates.embed)} photos/s embedding, ${perSecond(rates.label)}/s labelling per machine (${source})\n`;
  const rows = [
    ['machines', money(dollars.machines), `${(hours * machines).toFixed(1)} machine hours`],
    ['requests', money(dollars.requests), `${grouped(allRequests(requests))} of S3 and SQS`],
    ['upload', money(dollars.upload), question.packed ? 'in tar archives' : 'one object per photo'],
    ['functions', money(dollars.functions), ''],
    ['storage', money(dollars.storagePerMonth), 'a month, not in the sum'],
  ];
  return head + rate + textTable(rows, ['left', 'right', 'left']);
}
