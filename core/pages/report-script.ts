/** The report's behaviour in the browser: filter, sort, opacity, enlarging, naming, copying. Nothing is loaded or sent. */

/** Base64 of the script's SHA-256, for the page's policy: nothing else may run. A test holds the two together. */
export const reportScriptSha256 = 'E5Eo6RSxOGq23z/QKDiO1LcDEtu2yyRg7MkeUISK6T0=';

export const reportScript = `'use strict';
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = id => document.getElementById(id);
  const root = document.documentElement;
  root.classList.add('js');

  // How strongly the labels cover the pictures: one setting for the page, shown by every slider.
  const sliders = all('.opacity');
  const setOpacity = value => {
    root.style.setProperty('--overlay', value / 100);
    for (const slider of sliders) {
      slider.value = value;
      slider.parentElement.querySelector('output').value = value + '%';
    }
  };
  for (const slider of sliders) slider.addEventListener('input', () => setOpacity(slider.value));
  setOpacity(60);

  // Classes: filter and sort.
  const list = one('class-list');
  const cards = all('.class');
  const words = new Map(cards.map(card => [card,
    [card.dataset.name, '#' + card.dataset.id, ...all('.t img[alt]', card).map(picture => picture.alt)].join('\\n').toLowerCase()]));
  const filterClasses = () => {
    const wanted = one('class-filter').value.trim().toLowerCase();
    const exact = /^#?\\d+$/.test(wanted) ? wanted.replace('#', '') : null;
    let shown = 0;
    for (const card of cards) {
      card.hidden = exact
        ? card.dataset.id !== exact && !card.dataset.name.split(/\\D+/).includes(exact)
        : !words.get(card).includes(wanted);
      if (!card.hidden) shown++;
    }
    one('class-count').value = shown === cards.length ? shown + (shown === 1 ? ' class' : ' classes') : shown + ' of ' + cards.length;
    one('no-class').hidden = shown > 0;
  };
  const compare = (a, b) => {
    if (a === '' || b === '') return (a === '') - (b === '');
    const difference = a - b;
    return Number.isNaN(difference) ? a.localeCompare(b, undefined, { numeric: true }) : difference;
  };
  const sortClasses = () => {
    const order = one('class-sort').value;
    const key = order.replace('-', '');
    const rising = order.startsWith('-') || key === 'name' || key === 'id';
    cards.sort((a, b) => {
      const [x, y] = [a.dataset[key], b.dataset[key]];
      if (x === '' || y === '') return compare(x, y);
      return (rising ? compare(x, y) : compare(y, x)) || a.dataset.id - b.dataset.id;
    });
    list.append(...cards);
  };
  one('class-filter').addEventListener('input', filterClasses);
  one('class-sort').addEventListener('change', sortClasses);

  // Lists: filter.
  for (const field of all('[data-filters]')) {
    const rows = all('#' + field.dataset.filters + ' > li');
    field.addEventListener('input', () => {
      const wanted = field.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
  }

  // Tables: sort by a column, values in data-v, empty ones last.
  for (const button of all('button.sort')) {
    button.addEventListener('click', () => {
      const head = button.closest('th');
      const body = button.closest('table').tBodies[0];
      const falling = head.ariaSort !== 'descending';
      for (const other of all('th', head.parentElement)) other.removeAttribute('aria-sort');
      head.ariaSort = falling ? 'descending' : 'ascending';
      const value = row => row.cells[button.dataset.column].dataset.v;
      const sorted = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        return x === '' || y === '' ? compare(x, y) : falling ? compare(y, x) : compare(x, y);
      });
      body.append(...sorted);
    });
  }

  // Enlarging: a dialog that walks through the pictures now visible.
  const view = one('view');
  let pictures = [];
  let at = 0;
  const show = index => {
    at = (index + pictures.length) % pictures.length;
    const button = pictures[at];
    const [photo, labels] = button.children;
    const card = button.closest('.class');
    const confidence = button.parentElement.querySelector('small, .under')?.textContent ?? '';
    one('view-title').textContent = photo.alt;
    one('view-photo').src = photo.src;
    one('view-photo').alt = photo.alt;
    one('view-labels').src = labels.src;
    one('view-facts').textContent = [
      card ? 'Class ' + card.dataset.id + ', ' + card.dataset.name : '',
      card ? button.closest('figure').querySelector('figcaption').firstChild.textContent.trim().toLowerCase() : '',
      card ? 'confidence ' + confidence : confidence,
      button.dataset.d ? 'distance to the centroid ' + button.dataset.d : '',
      (at + 1) + ' of ' + pictures.length,
    ].filter(Boolean).join(' · ');
  };
  document.addEventListener('click', event => {
    const button = event.target.closest('button.t');
    if (!button) return;
    const place = button.closest('#class-list') ? list : button.closest('.review');
    pictures = all('.t', place).filter(other => !other.closest('[hidden]'));
    show(pictures.indexOf(button));
    view.showModal();
  });
  one('view-close').addEventListener('click', () => view.close());
  one('view-back').addEventListener('click', () => show(at - 1));
  one('view-next').addEventListener('click', () => show(at + 1));
  view.addEventListener('close', () => pictures[at].focus());
  view.addEventListener('click', event => {
    if (event.target === view) view.close();
  });
  view.addEventListener('keydown', event => {
    if (event.target.type === 'range') return;
    if (event.key === 'ArrowLeft') show(at - 1);
    if (event.key === 'ArrowRight') show(at + 1);
  });

  // Copying: what stands beside the button.
  const copy = async (button, text) => {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement('textarea');
      field.value = text;
      button.after(field);
      field.select();
      document.execCommand('copy');
      field.remove();
      button.focus();
    }
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = before; }, 1500);
  };
  let uncopied = false;
  for (const button of all('.copy')) {
    button.addEventListener('click', () => {
      const block = button.closest('#changes, .command, .rename');
      copy(button, block.querySelector('pre, code').textContent);
      if (block.id === 'changes') uncopied = false;
    });
  }

  // Naming: what is typed on the cards becomes commands; the same name twice merges.
  const changes = one('changes');
  const { command, directory } = changes.dataset;
  const quoted = text => /^[\\p{L}\\p{N}][\\p{L}\\p{N} ._,-]*$/u.test(text) ? '"' + text + '"' : "'" + text.replaceAll("'", "'\\\\''") + "'";
  const call = (verb, ...rest) => [command, verb, directory, ...rest].join(' ');
  const typed = card => card.querySelector('.rename input[type=text]').value.trim();
  const ignored = card => card.querySelector('.rename input[type=checkbox]').checked;
  const collect = () => {
    const byName = new Map();
    const ignores = [];
    for (const card of [...cards].sort((a, b) => a.dataset.id - b.dataset.id)) {
      if (typed(card)) byName.set(typed(card), [...(byName.get(typed(card)) ?? []), card.dataset.id]);
      if (ignored(card)) ignores.push(call('ignore', card.dataset.id));
    }
    const renames = [];
    for (const [name, ids] of byName) {
      if (ids.length > 1) renames.push(call('merge', ...ids));
      renames.push(call('rename', ids[0], quoted(name)));
    }
    return [...ignores, ...renames];
  };
  const update = card => {
    card.querySelector('.rename code').textContent = ignored(card) && !typed(card)
      ? call('ignore', card.dataset.id)
      : call('rename', card.dataset.id, quoted(typed(card) || 'new name'));
    const lines = collect();
    changes.hidden = lines.length === 0;
    changes.querySelector('output').value = lines.length + (lines.length === 1 ? ' change to run' : ' changes to run');
    changes.querySelector('pre').textContent = lines.join('\\n');
    uncopied = lines.length > 0;
  };
  list.addEventListener('input', event => {
    const card = event.target.closest('.class');
    if (card) update(card);
  });
  one('forget').addEventListener('click', () => {
    for (const field of all('.rename input')) {
      field.value = '';
      field.checked = false;
    }
    for (const card of cards) update(card);
    one('class-filter').focus();
  });
  addEventListener('beforeunload', event => {
    if (uncopied) event.preventDefault();
  });

  // The time a review takes, at the reader's own pace.
  const inWords = seconds => {
    const minutes = Math.round(seconds / 60);
    if (seconds < 60) return Math.ceil(seconds / 10) * 10 + ' s';
    if (minutes < 60) return minutes + ' min';
    const tens = Math.round(minutes / 10);
    return Math.floor(tens / 6) + ' h' + (tens % 6 ? ' ' + (tens % 6) * 10 + ' min' : '');
  };
  one('pace')?.addEventListener('input', () => {
    const output = document.querySelector('[data-estimate]');
    if (one('pace').value > 0) output.value = inWords(output.dataset.estimate * one('pace').value);
  });

  // Where the reader is.
  const links = new Map(all('nav a').map(link => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(entries => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute('aria-current');
      const link = links.get(target.id);
      link.setAttribute('aria-current', 'true');
      link.closest('ul').scrollLeft = link.parentElement.offsetLeft - 48;
    }
  }, { rootMargin: '-15% 0px -80% 0px' });
  for (const id of links.keys()) seen.observe(one(id));

  // Paper shows everything.
  addEventListener('beforeprint', () => {
    for (const folded of all('details')) folded.open = true;
  });
})();
`;
