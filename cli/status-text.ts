/** Where a job stands, as lines for a terminal: a bar per stage, then rejected images, rate and time left. */
import type { JobStatus, StageStatus } from '#core/job/status';
import { textTable } from './text-table.ts';

const barWidth = 24;

export function statusText(status: JobStatus): string {
  const { job, stage, error, images, rejected } = status;
  const bars = textTable(status.stages.map(barRow), ['left', 'left', 'right', 'left']);
  const head = `${job}: ${stage}${images === null ? '' : `, ${grouped(images)} images`}`;
  const facts = [
    ...(images === null ? [] : [`${grouped(rejected)} rejected so far`]),
    ...(status.seconds > 0 ? [`${stage === 'done' ? 'took' : 'since'} ${duration(status.seconds)}`] : []),
    ...(status.imagesPerSecond === null ? [] : [`${rateText(status.imagesPerSecond)} image passes/s`]),
    ...(stage === 'done' || stage === 'failed' || !status.secondsLeft
      ? []
      : [`${duration(status.secondsLeft)} until the last image is done`]),
  ];
  return [`${head}\n`, bars, ...(facts.length ? [`${facts.join(', ')}\n`] : []), ...(error ? [`${error}\n`] : [])].join(
    '',
  );
}

function barRow({ stage, done, total, failed }: StageStatus): string[] {
  const full = total ? Math.floor((done / total) * barWidth) : 0;
  const bar = `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`;
  return [stage, bar, `${grouped(done)} of ${grouped(total)}`, failed ? `${grouped(failed)} failed` : ''];
}

export const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');
const rateText = (rate: number): string => (rate < 10 ? rate.toFixed(1) : grouped(Math.round(rate)));

export function duration(seconds: number): string {
  const rounded = Math.ceil(seconds);
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
  return `${Math.floor(rounded / 3600)} h ${Math.floor((rounded % 3600) / 60)} min`;
}
