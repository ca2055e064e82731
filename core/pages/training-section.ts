/** What was trained: the loss over the steps, of every training the job did. */
import { lineChart } from './bars.ts';
import { countText, ratioText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { pairs, section } from './page-parts.ts';
import type { TrainingFacts } from './report-data.ts';

/** Nothing where nothing was trained. */
export function trainingSection(trainings: readonly TrainingFacts[]): HtmlPart {
  if (trainings.length === 0) return null;
  return section(
    'training',
    'Training',
    'The loss is what training makes smaller. It should fall and then level out; a curve that still falls at its end asks for more steps.',
    trainings.map(training),
  );
}

/** Points of a curve: more could not be told apart. */
const mostPoints = 100;

function training({ title, losses, facts }: TrainingFacts): Html {
  const points = smoothed(losses);
  const [first, last] = [points[0]?.[1] ?? 0, points.at(-1)?.[1] ?? 0];
  const top = Math.max(...points.map(([, loss]) => loss)) * 1.1 || 1;
  const words = `Loss of ${countText(losses.length)} steps, from ${ratioText(first)} to ${ratioText(last)}.`;
  return html`<h3>${title}</h3>
<figure class="chart"><div class="plot">${lineChart(points, top, words)}</div>
<div class="axis"><span>1</span><span>step</span><span>${countText(losses.length)}</span></div><figcaption>${words}</figcaption></figure>
${pairs(
  facts.map(([term, value]) => [term, html`${value}`] as const),
  'wide',
)}`;
}

/** Means of equal stretches of steps. */
function smoothed(losses: readonly number[]): (readonly [step: number, loss: number])[] {
  const count = Math.min(mostPoints, losses.length);
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i, i + 1].map(edge => Math.round((edge * losses.length) / count)) as [number, number];
    const stretch = losses.slice(from, to);
    return [(from + to + 1) / 2, stretch.reduce((a, b) => a + b, 0) / stretch.length] as const;
  });
}
