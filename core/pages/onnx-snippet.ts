/** A few lines that run the published model without this program, in Python and in Node. */
import { type Html, html } from './html.ts';
import type { DecisionRule, ModelFacts } from './report-data.ts';

type Published = Pick<ModelFacts, 'file' | 'decision' | 'input'>;

export const onnxSnippet = (model: Published): Html =>
  html`${snippet('Python', pythonSnippet(model))}${snippet('Node', nodeSnippet(model))}${
    refines(model.decision) &&
    html`<p class="under">Both leave out the guided filter that sharpens outlines; <code>selflabel predict</code> applies it and writes the same label maps as this job.</p>`
  }`;

const snippet = (language: string, text: string): Html =>
  html`<div class="snippet"><h4>${language}</h4><pre tabindex="0" role="region" aria-label="${language} example"><code>${text}</code></pre></div>`;

const refines = (decision: DecisionRule): boolean => decision.kind === 'threshold' && decision.refine !== null;

/** Needs onnxruntime, numpy and pillow; `labels` is [H, W] at the photo's size. */
export function pythonSnippet({ file, decision, input }: Published): string {
  const outputs = decision.kind === 'argmax' ? ['scores'] : ['scores', 'foreground'];
  const decide =
    decision.kind === 'argmax'
      ? ['labels = np.argmax([up(plane) for plane in scores[0]], axis=0)  # 0 is background']
      : [
          `labels = 1 + np.argmax([up(plane${decision.upsample === 'nearest' ? ', Image.NEAREST' : ''}) for plane in scores[0]], axis=0)`,
          `labels[up(foreground[0, 0]) < ${decision.threshold}] = 0  # 0 is background`,
        ];
  return [
    'import numpy as np, onnxruntime as ort',
    'from PIL import Image, ImageOps',
    '',
    'photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")',
    `scale = ${input.shorterSide === null ? '1' : `${input.shorterSide} / min(photo.size)`}`,
    `size = [max(1, round(side * scale / ${input.stride})) * ${input.stride} for side in photo.size]`,
    'image = np.asarray(photo.resize(size, Image.BILINEAR), np.float32).transpose(2, 0, 1)[None]',
    '',
    `model = ort.InferenceSession(${JSON.stringify(file)})`,
    `${outputs.join(', ')}${outputs.length === 1 ? ',' : ''} = model.run(${JSON.stringify(outputs)}, {"image": image})`,
    'up = lambda plane, how=Image.BILINEAR: np.asarray(Image.fromarray(plane).resize(photo.size, how))',
    ...decide,
  ].join('\n');
}

/** Needs onnxruntime-node and sharp; `labels` is [h, w] on the model's own, coarser grid. */
export function nodeSnippet({ file, decision, input }: Published): string {
  const threshold = decision.kind === 'threshold';
  return [
    "import { InferenceSession, Tensor } from 'onnxruntime-node';",
    "import sharp from 'sharp';",
    '',
    "const photo = sharp('photo.jpg').autoOrient();",
    'const { autoOrient: shown } = await photo.metadata();',
    `const scale = ${input.shorterSide === null ? '1' : `${input.shorterSide} / Math.min(shown.width, shown.height)`};`,
    `const side = pixels => Math.max(1, Math.round((pixels * scale) / ${input.stride})) * ${input.stride};`,
    'const [width, height] = [side(shown.width), side(shown.height)];',
    "const rgb = await photo.resize(width, height, { fit: 'fill', kernel: 'linear' }).removeAlpha().toColourspace('srgb').raw().toBuffer();",
    'const image = Float32Array.from(rgb, (_, i) => rgb[(i % (width * height)) * 3 + Math.floor(i / (width * height))]);',
    '',
    `const model = await InferenceSession.create(${JSON.stringify(file)});`,
    `const { scores${threshold ? ', foreground' : ''} } = await model.run({ image: new Tensor('float32', image, [1, 3, height, width]) });`,
    'const [, classes, h, w] = scores.dims;',
    'const labels = Uint16Array.from({ length: h * w }, (_, at) => {',
    ...(threshold ? [`  if (foreground.data[at] < ${decision.threshold}) return 0; // background`] : []),
    '  let best = 0;',
    '  for (let c = 1; c < classes; c++) if (scores.data[c * h * w + at] > scores.data[best * h * w + at]) best = c;',
    threshold ? '  return best + 1;' : '  return best; // 0 is background',
    '});',
  ].join('\n');
}
