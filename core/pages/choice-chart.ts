/** How the number of classes was found: the curve over all numbers that were tried. */
import { fractionOf, lineChart } from './bars.ts';
import { percentText, ratioText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import type { ChoiceFacts } from './report-data.ts';

/** Nothing where the number was given, or where there was nothing to choose from. */
export function choiceChart(choice: ChoiceFacts | null): HtmlPart {
  if (!choice || choice.curve.length < 2) return null;
  const { clusters, curve } = choice;
  const chosen = curve.find(point => point.clusters === clusters)!;
  const [low, high] = [Math.log(curve[0]!.clusters), Math.log(curve.at(-1)!.clusters)];
  const top = Math.max(...curve.map(({ score }) => score)) * 1.1 || 1;
  const points = curve.map(point => [Math.log(point.clusters), point.score] as const);
  const left = (fractionOf(Math.log(clusters), low, high) * 100).toFixed(2);
  const words = `Score by number of classes: ${clusters} were chosen, with a score of ${ratioText(chosen.score)}.`;
  return html`<h3>Why ${clusters} classes</h3>
<p class="under">The photos were cut into halves several times and each half was clustered by itself. Score: how far both
halves tell the same photos apart (${percentText(chosen.agreement)} at ${clusters}), times the share of the one half’s
variety that the other half’s classes explain (${percentText(chosen.explained)}). The fewest classes that score as well as
the best, within the spread between the cuts, were taken.</p>
<figure class="chart"><div class="plot">${lineChart(points, top, words)}<i class="threshold" style="left:${left}%"></i></div>
${axis(curve[0]!.clusters, curve.at(-1)!.clusters)}<figcaption>${words}</figcaption></figure>`;
}

const axis = (from: number, to: number): Html =>
  html`<div class="axis"><span>${from}</span><span>number of classes, logarithmic</span><span>${to}</span></div>`;
