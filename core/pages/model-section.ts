/** The model card: what was published, how it decides, and how to run it. */
import { ratioText } from './figure-text.ts';
import { type Html, html } from './html.ts';
import { onnxSnippet } from './onnx-snippet.ts';
import { hash, name, pairs, section } from './page-parts.ts';
import type { DecisionRule, ReportData } from './report-data.ts';

export function modelSection({ model, run }: ReportData): Html {
  const { shorterSide, stride } = model.input;
  const size = shorterSide === null ? 'used as they are' : `resized to a shorter side of ${shorterSide} pixels`;
  return section(
    'model',
    'Model card',
    html`One ONNX file, <code>${model.file}</code>: image in, scores out, normalisation inside. Any ONNX Runtime in any language runs it.`,
    html`${run.backbone.builtIn && builtIn}${pairs(
      [
        ['Model', html`${name(model.name)}, version ${name(model.version)}`],
        [
          'Input',
          html`<code>image</code> float32 [N, 3, H, W], RGB 0 … 255; images ${size}, both sides rounded to a multiple of ${stride}`,
        ],
        ['Decision', html`${decisionWords(model.decision)}`],
        ...model.facts.map(([term, value]) => [term, html`${value}`] as const),
      ],
      'wide',
    )}
<h3>Use it</h3>${onnxSnippet(model)}
<h3>Hashes <span class="under">SHA-256</span></h3>${pairs(
      [
        ...(run.backbone.sha256 === null ? [] : [['backbone file', hash(run.backbone.sha256)] as const]),
        ...model.hashes.map(([of, sha256]) => [of, hash(sha256)] as const),
      ],
      'wide',
    )}
<h3>Licence</h3>${
      model.licenceNotes.length > 0
        ? html`<ul>${model.licenceNotes.map(note => html`<li>${note}</li>`)}</ul>`
        : html`<p>No licence note came with the backbone. The model holds its weights: check their terms before passing it on.</p>`
    }`,
  );
}

const builtIn = html`<p class="verdict look"><strong>Made with the built-in filter bank.</strong> It was not trained on any picture: it sees colour, edges and texture at a few scales. It separates sky from grass or red from blue; it does not know what a dog is, and two things of the same colour and texture end up in one class. It is here so that the first command works without a download. For real work give a pretrained network: <code>--backbone FILE.onnx</code>.</p>`;

function decisionWords(decision: DecisionRule): string {
  if (decision.kind === 'argmax')
    return 'Fine-tuned: logits of all classes and background, upsampled bilinearly; the largest wins.';
  const { threshold, upsample, refine } = decision;
  const refined = refine ? `, refined by a guided filter (radius ${refine.radius}, epsilon ${refine.epsilon})` : '';
  return `Each pixel gets the class of its nearest centroid (cosine, ${upsample} upsampling). Where the foreground score, upsampled bilinearly${refined}, is below ${ratioText(threshold)}, it is background.`;
}
