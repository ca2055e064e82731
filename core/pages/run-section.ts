/** How the job ran: time by stage, what limited it, settings, and the command that does it again. */
import { shareBar } from './bars.ts';
import { bytesText, countText, durationText, rateText } from './figure-text.ts';
import { type Html, type HtmlPart, html } from './html.ts';
import { command, figure, name, pairs, section, table } from './page-parts.ts';
import type { Figure, RunFacts } from './report-data.ts';

export function runSection(run: RunFacts): Html {
  return section(
    'run',
    'How it ran',
    html`${durationText(run.totalSeconds)} on ${run.device.toUpperCase()} with ${run.threads === 1 ? '1 thread' : `${run.threads} threads`}. ${boundWords(run.bound)}`,
    html`${stages(run)}
<h3>Do it again</h3><p class="under">The same command on the same files resumes, or, when finished, changes nothing.</p>${command(run.command)}
<h3>Settings</h3>${pairs([
      ...run.settings.map(([term, value]) => [term, name(value)] as const),
      ['peak memory', figure(run.peakMemoryBytes, bytesText, 'memory was not measured')],
      ['program', `selflabel ${run.version}`],
    ])}`,
  );
}

function boundWords(bound: RunFacts['bound']): string {
  if (!bound) return 'What limited its speed was not measured.';
  const seconds = `(decoding ${durationText(bound.decodeSeconds)}, model ${durationText(bound.modelSeconds)})`;
  const rates = `Alone, decoding would do ${rateText(bound.decodeRate)} images per second and the model ${rateText(bound.modelRate)}.`;
  return `${verdicts[bound.by](seconds)} ${rates}`;
}

const verdicts = {
  decode: (seconds: string) =>
    `Decode-bound ${seconds}: reading pictures took longer than the model, so more CPU cores would help.`,
  model: (seconds: string) =>
    `Model-bound ${seconds}: the network took longer than reading pictures, so a faster device or a smaller network would help.`,
  balanced: (seconds: string) => `Balanced ${seconds}: reading pictures and the network took about as long.`,
};

function stages({ stages: all }: RunFacts): HtmlPart {
  const longest = Math.max(0, ...all.map(({ seconds }) => seconds));
  const why = 'this stage does not go by image';
  const rows = all.map(
    ({ name: stage, seconds, images }) => html`
<tr><th scope="row">${stage}</th><td>${durationText(seconds)}${shareBar(longest > 0 ? seconds / longest : 0)}</td>
<td>${figure(images, countText, why)}</td><td>${figure(rate(images, seconds), rateText, why)}</td></tr>`,
  );
  return table('Time by stage', ['Stage', 'Time', 'Images', 'Images per second'], rows, 'compare');
}

const rate = (images: Figure, seconds: number): Figure => (images !== null && seconds > 0 ? images / seconds : null);
