/** The playground's behaviour in the browser: images in, requests, answers, problems, downloads. Only the service is asked. */
import { playgroundAskScript } from './playground-ask-script.ts';
import { playgroundMaskScript } from './playground-mask-script.ts';
import { playgroundViewScript } from './playground-view-script.ts';

/** Base64 of the script's SHA-256, for the page's policy: nothing else may run. A test holds the two together. */
export const playgroundScriptSha256 = 'BrzFZfeMx3XTKf+GMvvUhwMf0DFAT+pL8h+EB8M6B6I=';

const behaviour = `
  const main = one('main');
  const photo = one('photo');
  const busy = one('busy');

  // What is being looked at.
  let image = null;
  let models = [];
  let token = '';
  let underway = null;
  const stem = () => image.name.replace(/\\.[^.]*$/, '') || 'image';
  const imageTypes = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/tiff', 'image/avif']);
  const typeOf = blob => imageTypes.has(blob.type) ? blob.type : 'application/octet-stream';

  // Models: which one answers, and what it is.
  const chosenModel = () => models.find(({ name }) => name === one('model').value);
  const describeModel = async () => {
    const model = chosenModel();
    const several = models.length > 1;
    one('model-facts').textContent = (several ? '' : model.name + ' · ') + count(model.classes, 'class', 'classes') + ' · version ' + model.version.slice(0, 12);
    one('threshold-part').hidden = model.decision !== 'threshold';
    one('threshold').value = '';
    one('threshold').placeholder = '';
    if (model.decision !== 'threshold') return;
    const { card } = await ask('v1/models/' + encodeURIComponent(model.name));
    one('threshold').placeholder = Number(card.decision?.threshold ?? 0).toFixed(3);
  };
  const loadModels = async () => {
    try {
      models = (await ask('v1/models')).models;
      if (models.length === 0) throw new Problem({ title: 'No model is published yet', detail: 'Run a job first, or serve another folder; then this page can be used.', status: 503 });
      one('model').replaceChildren(...models.map(({ name }) => element('option', { value: name, textContent: name })));
      one('model').value = (models.find(model => model.default) ?? models[0]).name;
      one('model-label').hidden = models.length === 1;
      await describeModel();
    } catch (error) {
      showProblem(troubleOf(error), loadModels);
    }
  };

  // One image: shown at once, then asked about, then labelled.
  const setBusy = on => {
    busy.hidden = !on;
    one('stage').setAttribute('aria-busy', on);
    one('busy-text').textContent = 'Segmenting…';
  };
  const clearResult = () => {
    shown = null;
    pointer = null;
    overlay.width = overlay.height = 1;
    one('panel').hidden = true;
    one('readout').textContent = '';
    pointAway();
  };
  const requestPath = outputs => {
    const query = new URLSearchParams();
    if (outputs) {
      query.set('outputs', outputs);
      query.set('name', image.name.slice(0, 200));
    }
    if (models.length > 1) query.set('model', one('model').value);
    if (one('threshold').value !== '' && chosenModel()?.decision === 'threshold') query.set('threshold', one('threshold').value);
    return 'v1/segment' + (query.size ? '?' + query : '');
  };
  const segment = async () => {
    underway?.abort();
    const mine = underway = new AbortController();
    hideProblem();
    clearResult();
    setBusy(true);
    main.dataset.state = 'busy';
    say('Segmenting ' + image.name);
    try {
      const body = image.blob;
      const result = await ask(requestPath('rle,mask'), { method: 'POST', body, headers: { 'content-type': typeOf(body) }, signal: mine.signal });
      const png = Uint8Array.from(atob(result.mask), char => char.charCodeAt(0));
      const mask = await readMask(png);
      if (mine !== underway) return;
      image.png = png;
      main.dataset.state = 'done';
      showResult(result, mask);
      describeImage(result);
    } catch (error) {
      if (mine !== underway) return;
      main.dataset.state = 'failed';
      if (error.name !== 'AbortError') showProblem(troubleOf(error), segment);
      else say('Cancelled');
    } finally {
      if (mine === underway) setBusy(false);
    }
  };
  const describeImage = result => {
    const { width, height, original, notes } = result.image;
    one('file-facts').textContent = [original.width + ' × ' + original.height, width === original.width ? '' : 'labelled at ' + width + ' × ' + height, bytesText(image.blob.size)].filter(Boolean).join(' · ');
    showNotes([...notes, ...result.warnings, ...(image.visible ? [] : ['This browser cannot show the image itself; the labels are right all the same.'])]);
    one('save-picture').hidden = !image.visible;
    one('curl').textContent = curlText();
  };
  const showNotes = notes => {
    one('notes').replaceChildren(...notes.map(textContent => element('li', { textContent })));
    one('notes').hidden = notes.length === 0;
  };
  const use = (blob, name, note) => {
    if (image) URL.revokeObjectURL(image.url);
    image = { blob, name, url: URL.createObjectURL(blob), visible: true, png: null };
    photo.hidden = false;
    photo.src = image.url;
    stage.style.removeProperty('--ratio');
    one('file-name').textContent = name;
    one('file-facts').textContent = bytesText(blob.size) + (note ? ' · ' + note : '');
    segment();
  };
  photo.addEventListener('load', () => {
    if (!shown) stage.style.setProperty('--ratio', photo.naturalWidth / photo.naturalHeight);
  });
  photo.addEventListener('error', () => {
    if (!image) return;
    image.visible = false;
    photo.hidden = true;
    if (shown) describeImage(shown.result);
  });
  const sendSmaller = async () => {
    try {
      const bitmap = await createImageBitmap(image.blob);
      const scale = Math.min(1, 2048 / Math.max(bitmap.width, bitmap.height));
      const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
      canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      use(await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 }), stem() + '.jpg', 'smaller copy');
    } catch (error) {
      showProblem(new Problem({ title: 'This browser cannot make a smaller copy', detail: error.message, status: 0 }), segment);
    }
  };

  // Ways in: files, camera, drop, paste.
  const useFiles = files => {
    if (files.length === 0) return;
    use(files[0], files[0].name || 'pasted image', files.length > 1 ? 'the first of ' + files.length : '');
  };
  for (const id of ['file', 'camera']) {
    one(id).addEventListener('change', ({ target }) => {
      useFiles([...target.files]);
      target.value = '';
    });
  }
  const root = document.documentElement;
  addEventListener('dragover', event => {
    event.preventDefault();
    root.classList.add('dragging');
  });
  addEventListener('dragleave', event => {
    if (!event.relatedTarget) root.classList.remove('dragging');
  });
  addEventListener('drop', event => {
    event.preventDefault();
    root.classList.remove('dragging');
    const files = [...event.dataTransfer.files];
    if (files.length > 0) useFiles(files);
    else showProblem(new Problem({ title: 'That was no file', detail: 'Save the picture first, then drop the file here.', status: -1 }), () => one('file').click());
  });
  addEventListener('paste', event => useFiles([...(event.clipboardData?.files ?? [])]));

  // Ways to look: pointer, arrow keys, opacity, legend.
  const setOpacity = value => {
    root.style.setProperty('--overlay', value / 100);
    document.querySelector('.opacity').parentElement.querySelector('output').value = value + '%';
  };
  document.querySelector('.opacity').addEventListener('input', ({ target }) => setOpacity(target.value));
  const pointerAt = event => {
    if (!shown) return;
    const { left, top, width, height } = stage.getBoundingClientRect();
    pointAt(Math.floor((event.clientX - left) / width * shown.mask.width), Math.floor((event.clientY - top) / height * shown.mask.height), event.pointerType === 'touch' ? 'touch' : 'mouse');
  };
  stage.addEventListener('pointermove', pointerAt);
  stage.addEventListener('pointerdown', pointerAt);
  stage.addEventListener('pointerleave', event => event.pointerType === 'mouse' && pointAway());
  const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  stage.addEventListener('keydown', event => {
    const direction = directions[event.key];
    if (event.key === 'Escape') pointAway();
    if (!direction || !shown || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const { width, height } = shown.mask;
    const step = Math.max(1, Math.round(Math.max(width, height) / (event.shiftKey ? 8 : 40)));
    const from = pointer ?? { x: width >> 1, y: height >> 1 };
    pointAt(from.x + direction[0] * step, from.y + direction[1] * step, 'keys');
  });
  stage.addEventListener('blur', pointAway);
  one('show-all').addEventListener('click', () => showAll(true));
  one('hide-all').addEventListener('click', () => showAll(false));
  one('find').addEventListener('input', findClass);
  one('cancel').addEventListener('click', () => underway?.abort());
  one('model').addEventListener('change', () => {
    describeModel().catch(error => showProblem(troubleOf(error), loadModels));
    if (image) segment();
  });
  one('threshold').addEventListener('change', () => image && segment());

  // Ways out.
  const save = (blob, name) => {
    const link = element('a', { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  one('save-png').addEventListener('click', () => save(new Blob([image.png], { type: 'image/png' }), stem() + '-labels.png'));
  one('save-json').addEventListener('click', () => {
    const { mask, ...facts } = shown.result;
    save(new Blob([JSON.stringify(facts, null, 2) + '\\n'], { type: 'application/json' }), stem() + '-labels.json');
  });
  one('save-picture').addEventListener('click', async () => {
    const canvas = new OffscreenCanvas(overlay.width, overlay.height);
    const context = canvas.getContext('2d');
    context.drawImage(photo, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = document.querySelector('.opacity').value / 100;
    context.drawImage(overlay, 0, 0);
    save(await canvas.convertToBlob({ type: 'image/png' }), stem() + '-overlay.png');
  });
  const quoted = text => "'" + text.replaceAll("'", "'\\\\''") + "'";
  const curlText = () => {
    const call = (path, ...more) => ['curl ' + quoted(new URL(path, location.href).href), '-H ' + quoted('Content-Type: ' + typeOf(image.blob)), ...more, '--data-binary @' + quoted(image.name)].join(' ');
    return call(requestPath('')) + '\\n\\n' + call(requestPath(''), "-H 'Accept: image/png'", '-o ' + quoted(stem() + '-labels.png'));
  };
  one('copy-curl').addEventListener('click', async ({ target }) => {
    try {
      await navigator.clipboard.writeText(one('curl').textContent);
      target.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(one('curl'));
      target.textContent = 'Selected: copy with Ctrl C';
    }
    setTimeout(() => { target.textContent = 'Copy'; }, 2000);
  });

  root.classList.add('js');
  setOpacity(60);
  loadModels();
`;

export const playgroundScript = `'use strict';
(() => {${playgroundMaskScript}${playgroundViewScript}${playgroundAskScript}${behaviour}})();
`;
