/** What the playground shows in the browser: the labels over the picture, the legend, the pointer, problems. */

/** Functions for the page's script; they read the `shown` result and write into the document. */
export const playgroundViewScript = `
  const one = id => document.getElementById(id);
  const element = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  // What is said here is read out; an emptied region would swallow the same words said twice.
  const say = text => {
    one('say').textContent = '';
    setTimeout(() => { one('say').textContent = text; }, 50);
  };
  const percent = share => share > 0 && share < 0.001 ? '<0.1%' : share < 1 && share > 0.999 ? '>99.9%' : (share * 100).toFixed(1) + '%';
  const number = value => Math.round(value).toLocaleString('en');
  const count = (value, one, many) => number(value) + ' ' + (value === 1 ? one : many);
  const bytesText = bytes => bytes < 1e6 ? Math.max(1, Math.round(bytes / 1e3)) + ' kB' : (bytes / 1e6).toFixed(1) + ' MB';
  const channels = color => [1, 3, 5].map(at => parseInt(color.slice(at, at + 2), 16));
  // Black or white, whichever reads better on the colour (WCAG 2.2, relative luminance).
  const inkOn = color => {
    const [red, green, blue] = channels(color).map(value => value / 255).map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000' : '#fff';
  };

  // Result on the screen: { mask, owner, segments, classes (by id), hidden (ids), result }.
  let shown = null;
  const overlay = one('overlay');
  const stage = one('stage');

  // Beyond this many pixels every second, third, … row and column is drawn: phones have small canvases.
  const mostPixels = 12e6;
  // One colour per id; while a class is pointed at, the others fade.
  const paint = lit => {
    if (!shown) return;
    const { mask: { width, height, ids }, classes, hidden } = shown;
    const colours = new Uint8ClampedArray(4 * 65536);
    for (const [id, { color }] of classes) {
      if (!hidden.has(id)) colours.set([...channels(color), lit === undefined || lit === id ? 255 : 70], 4 * id);
    }
    const step = Math.ceil(Math.sqrt(width * height / mostPixels));
    overlay.width = Math.ceil(width / step);
    overlay.height = Math.ceil(height / step);
    const table = new Uint32Array(colours.buffer);
    const pixels = new Uint32Array(overlay.width * overlay.height);
    for (let y = 0, to = 0; y < height; y += step) {
      for (let x = 0; x < width; x += step) pixels[to++] = table[ids[y * width + x]];
    }
    const data = new ImageData(new Uint8ClampedArray(pixels.buffer), overlay.width, overlay.height);
    overlay.getContext('2d').putImageData(data, 0, 0);
  };

  const swatchOf = ({ id, color }) => {
    const swatch = element('span', { className: 'swatch', textContent: id });
    swatch.style.setProperty('--c', color);
    swatch.style.setProperty('--i', inkOn(color));
    return swatch;
  };
  const confidenceText = confidence => typeof confidence === 'number' ? 'confidence ' + confidence.toFixed(2) : '';
  const legendRow = facts => {
    const box = element('input', { type: 'checkbox', checked: true });
    const details = [confidenceText(facts.confidence), count(facts.segments, 'region', 'regions')].filter(Boolean).join(' · ');
    const row = element('li', {}, element('label', {}, box, swatchOf(facts), element('bdi', { className: 'name', textContent: facts.name }),
      element('span', { className: 'share', textContent: percent(facts.share) }), element('small', { textContent: details })));
    row.dataset.id = facts.id;
    box.addEventListener('change', () => {
      shown.hidden[box.checked ? 'delete' : 'add'](facts.id);
      paint(box.checked ? facts.id : undefined);
    });
    for (const [start, end] of [['pointerenter', 'pointerleave'], ['focusin', 'focusout']]) {
      row.addEventListener(start, () => box.checked && paint(facts.id));
      row.addEventListener(end, () => paint());
    }
    return row;
  };
  const showAll = visible => {
    shown.hidden = new Set(visible ? [] : shown.classes.keys());
    for (const box of one('legend').querySelectorAll('input')) box.checked = visible;
    paint();
    say(visible ? 'All classes shown' : 'All classes hidden');
  };
  const findClass = () => {
    const wanted = one('find').value.trim().toLowerCase();
    let found = 0;
    for (const row of one('legend').children) {
      row.hidden = !(row.querySelector('.name').textContent.toLowerCase().includes(wanted) || row.dataset.id === wanted.replace('#', ''));
      if (!row.hidden) found++;
    }
    if (wanted) say(count(found, 'class', 'classes') + ' found');
  };
  // The shares as one band, largest class first; what no class has stays empty.
  const drawSpectrum = list => {
    const band = one('spectrum');
    const context = band.getContext('2d');
    context.clearRect(0, 0, band.width, 1);
    let at = 0;
    for (const { share, color } of list) {
      context.fillStyle = color;
      context.fillRect(at, 0, share * band.width, 1);
      at += share * band.width;
    }
  };

  const showResult = (result, mask) => {
    const list = [...result.classes].sort((a, b) => b.share - a.share || a.id - b.id);
    const { segments } = result;
    shown = { result, mask, segments, owner: segmentsOf(segments, mask.width, mask.height), classes: new Map(list.map(facts => [facts.id, facts])), hidden: new Set() };
    stage.style.setProperty('--ratio', mask.width / mask.height);
    paint();
    drawSpectrum(list);
    one('legend').replaceChildren(...list.map(legendRow));
        one('summary').textContent = list.length ? count(list.length, 'class', 'classes') + ' in this picture' : 'Nothing but background in this picture';
    one('rest').textContent = list.length ? 'Background: ' + percent(result.background.share) : 'The model found nothing it knows. Another picture, or a lower threshold, may show more.';
    one('find').hidden = list.length < 9;
    one('find').value = '';
    one('show-all').hidden = one('hide-all').hidden = list.length === 0;
    one('legend').hidden = one('spectrum').hidden = list.length === 0;
    one('panel').hidden = false;
    stage.setAttribute('aria-label', 'Picture with labels, ' + mask.width + ' by ' + mask.height + ' pixels');
    one('readout').textContent = list.length ? 'Point at the picture to see the class of a pixel.' : '';
    say(one('summary').textContent + (list.length ? ': ' + list.slice(0, 5).map(({ name, share }) => name + ' ' + percent(share)).join(', ') + (list.length > 5 ? ' and more' : '') : ''));
  };

  // The pixel under the pointer: its class, and the confidence of the region around it.
  const readAt = (x, y) => {
    const { mask, owner, segments, classes } = shown;
    const facts = classes.get(mask.ids[y * mask.width + x]);
    const segment = segments[owner[y * mask.width + x] - 1];
    const confidence = segment?.confidence ?? facts?.confidence;
    for (const row of one('legend').querySelectorAll('.at')) row.classList.remove('at');
    if (facts) one('legend').querySelector('[data-id="' + facts.id + '"]')?.classList.add('at');
    return { name: facts ? facts.name : 'background', details: facts ? [confidenceText(confidence), segment ? percent(segment.area / mask.ids.length) + ' of the picture' : ''].filter(Boolean).join(' · ') : '' };
  };
  let pointer = null;
  // A finger hides what lies below it, so there the words stand above and a ring shows the place; so for keys.
  const pointAt = (x, y, kind) => {
    const { width, height } = shown.mask;
    pointer = { x: Math.max(0, Math.min(width - 1, x)), y: Math.max(0, Math.min(height - 1, y)) };
    const { name, details } = readAt(pointer.x, pointer.y);
    const [left, top] = [(pointer.x + 0.5) / width, (pointer.y + 0.5) / height];
    const tip = one('tip');
    tip.replaceChildren(element('strong', { textContent: name }), details);
    tip.hidden = false;
    const [room, tall] = [stage.clientWidth, stage.clientHeight];
    const beside = left * room + 14 + tip.offsetWidth > room ? left * room - 14 - tip.offsetWidth : left * room + 14;
    tip.style.left = Math.max(0, Math.min(room - tip.offsetWidth, beside)) + 'px';
    tip.style.top = Math.max(0, Math.min(tall - tip.offsetHeight, kind === 'mouse' ? top * tall + 14 : top * tall - 20 - tip.offsetHeight)) + 'px';
    one('cross').hidden = kind === 'mouse';
    one('cross').style.left = left * 100 + '%';
    one('cross').style.top = top * 100 + '%';
    one('readout').textContent = name + (details ? ' · ' + details : '');
    if (kind === 'keys') say(name + (details ? ', ' + details.replaceAll(' · ', ', ') : '') + ', at ' + Math.round(left * 100) + '% from the left, ' + Math.round(top * 100) + '% from the top');
  };
  const pointAway = () => {
    one('tip').hidden = one('cross').hidden = true;
    for (const row of one('legend').querySelectorAll('.at')) row.classList.remove('at');
  };
`;
