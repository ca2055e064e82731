/** What a reader should know before relying on the labels, told by the data itself. */
import { bestBaseline } from './baselines.ts';
import { countText, percentText } from './figure-text.ts';
import { receiptGap } from './receipt-section.ts';
import type { ForegroundFacts, MetricsFacts, ReportData, RunFacts } from './report-data.ts';

export interface Finding {
  readonly tone: 'good' | 'look' | 'bad' | 'plain';
  readonly words: string;
  /** The section that tells more. */
  readonly to: string;
}

/** Problems first, then things to note, then what is well. */
export function findings(data: ReportData): Finding[] {
  const order = ['bad', 'look', 'good', 'plain'];
  return [
    receiptFinding(data),
    data.foreground ? foregroundFinding(data.foreground) : noForeground,
    data.metrics ? metricsFinding(data.metrics) : noMetrics,
    backboneFinding(data.run),
    speedFinding(data.run),
  ]
    .filter(finding => finding !== null)
    .sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone));
}

function receiptFinding({ receipt }: ReportData): Finding {
  const { total, rejected } = receipt.counts;
  if (receiptGap(receipt.counts) !== 0)
    return {
      tone: 'bad',
      words: 'The counts of images do not add up. Some inputs are not accounted for.',
      to: 'receipt',
    };
  const words = `Every one of the ${countText(total)} inputs is accounted for`;
  if (rejected === 0) return { tone: 'good', words: `${words}, none was rejected.`, to: 'receipt' };
  return {
    tone: 'look',
    words: `${words}; ${countText(rejected)} could not be used, each with its reason.`,
    to: 'receipt',
  };
}

function foregroundFinding({ check }: ForegroundFacts): Finding {
  if (!check)
    return {
      tone: 'plain',
      words: 'Object and background were told apart by an untrained score, which cannot be checked.',
      to: 'foreground',
    };
  if (check.failed)
    return {
      tone: 'bad',
      words:
        'The part that tells object from background looks failed. Do not use these labels before looking at pictures.',
      to: 'foreground',
    };
  const doubtful = [check.agreement, check.borderForeground, check.allOrNothing].some(({ suspicious }) => suspicious);
  return doubtful
    ? { tone: 'look', words: 'Telling object from background works, with one sign of doubt.', to: 'foreground' }
    : { tone: 'good', words: 'Telling object from background shows no sign of failure.', to: 'foreground' };
}

const noForeground: Finding = {
  tone: 'plain',
  words: 'Every pixel was given a class: this job was told that its pictures have no background.',
  to: 'foreground',
};

const noMetrics: Finding = {
  tone: 'plain',
  words:
    'No ground-truth masks were given, so nothing here is measured accuracy. Cohesion and confidence are the model’s own view.',
  to: 'metrics',
};

function metricsFinding({ miouForeground, baselines }: MetricsFacts): Finding {
  const best = bestBaseline(baselines);
  if (miouForeground === null || !best)
    return {
      tone: 'plain',
      words: 'Masks were given, but there is no figure to compare with the trivial baselines.',
      to: 'metrics',
    };
  const ours = `mIoU of the foreground classes is ${percentText(miouForeground)}`;
  return miouForeground > best.value
    ? {
        tone: 'good',
        words: `${ours}; the best trivial baseline (${best.name}) has ${percentText(best.value)}.`,
        to: 'metrics',
      }
    : {
        tone: 'bad',
        words: `${ours}, no better than a trivial baseline (${best.name}, ${percentText(best.value)}).`,
        to: 'metrics',
      };
}

function backboneFinding({ backbone }: RunFacts): Finding | null {
  if (!backbone.builtIn) return null;
  return {
    tone: 'look',
    words:
      'This job ran on the built-in filter bank, which knows colour and texture but no objects. Bring a pretrained backbone for real work.',
    to: 'model',
  };
}

function speedFinding({ bound }: RunFacts): Finding | null {
  if (bound?.by !== 'decode') return null;
  return {
    tone: 'plain',
    words:
      'Decoding pictures took longer than the model: more CPU cores would make this job faster, a faster device would not.',
    to: 'run',
  };
}
