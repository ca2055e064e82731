/** What the report says about telling object from background. */
import { type HeadVerdict, leastAgreement, mostOneSided, mostRing } from '#core/attention/head-check';
import type { SettledRun } from '#core/job/request';
import type { Card } from '#core/labels/card';
import type { ForegroundCheck, ForegroundFacts } from '#core/pages/report-data';
import type { AttentionReport } from './backbone.ts';

export function foregroundFacts(run: SettledRun, report: AttentionReport, card: Card): ForegroundFacts {
  const source = typeof run.threshold === 'number' ? 'given' : run.threshold;
  const threshold = card.decision.kind === 'threshold' ? card.decision.threshold : report.threshold;
  return {
    threshold,
    source,
    otsu: report.threshold,
    histogram: report.histogram,
    share: report.foregroundShare,
    check: report.check ? signsOf(report.check) : null,
  };
}

/** The three signs of a head that turned round, each with the limit it is held against. */
function signsOf({ agreement, ringShare, insideShare, allShare, noneShare, failed }: HeadVerdict): ForegroundCheck {
  const together = Math.max(agreement.border, agreement.fiedler);
  const oneSided = Math.max(allShare, noneShare);
  const ringLimit = mostRing * insideShare;
  return {
    failed,
    agreement: { value: together, limit: leastAgreement, suspicious: together < leastAgreement },
    borderForeground: { value: ringShare, limit: ringLimit, suspicious: ringShare > ringLimit },
    allOrNothing: { value: oneSided, limit: mostOneSided, suspicious: oneSided > mostOneSided },
  };
}
