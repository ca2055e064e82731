/** How the playground asks the service, and what it shows where the answer is no. */

/**
 * Functions for the page's script:
 * - `ask(path, options)`: the JSON of an answer; throws a `Problem`, or AbortError;
 * - `troubleOf(error)`, `showProblem(problem, again)`: any failure in words, with what can be done about it.
 */
export const playgroundAskScript = `
  // Problems: what the service says (RFC 9457), or what kept it from saying anything.
  class Problem extends Error {
    constructor(facts) {
      super(facts.title);
      Object.assign(this, facts);
    }
  }
  const hideProblem = () => { one('problem').hidden = true; };
  const action = (text, act) => {
    const button = element('button', { className: 'button', textContent: text });
    button.addEventListener('click', () => { hideProblem(); act(); });
    return button;
  };
  const tokenForm = again => {
    const field = element('input', { type: 'password', autocomplete: 'off', required: true });
    const form = element('form', {}, element('label', {}, 'Access token', field), element('button', { className: 'button first', textContent: 'Use it' }));
    form.addEventListener('submit', event => {
      event.preventDefault();
      token = field.value.trim();
      hideProblem();
      again();
    });
    return form;
  };
  const showProblem = ({ title, detail, status, errors, requestId, wait }, again) => {
    const parts = [element('h2', { textContent: title })];
    if (detail) parts.push(element('p', { textContent: detail }));
    if (errors?.length) parts.push(element('ul', {}, ...errors.map(({ path, message }) => element('li', { textContent: path + ': ' + message }))));
    if (wait) parts.push(element('p', { textContent: 'The service asks to wait ' + count(wait, 'second', 'seconds') + '.' }));
    if (status === 401) parts.push(tokenForm(again));
    const actions = [action(status === -1 ? 'Choose a file' : 'Try again', again)];
    if (image && (status === 413 || status === 303 || /smaller/.test(detail))) actions.push(action('Send a smaller copy', sendSmaller));
    if (status !== 401) parts.push(element('div', { className: 'buttons' }, ...actions));
    if (requestId) parts.push(element('p', { className: 'under' }, 'Request ', element('code', { textContent: requestId })));
    one('problem').replaceChildren(...parts);
    one('problem').hidden = false;
  };
  const problemOf = async response => {
    const wait = Number(response.headers.get('retry-after')) || 0;
    const requestId = response.headers.get('x-request-id') ?? '';
    try {
      const facts = await response.json();
      if (typeof facts.title === 'string') return new Problem({ requestId, ...facts, wait });
    } catch {
      // Not the service itself but something before it: there is only the status.
    }
    return new Problem({ title: 'The service answered ' + response.status + ' ' + response.statusText, detail: '', status: response.status, requestId, wait });
  };
  const ask = async (path, options = {}) => {
    let response;
    try {
      response = await fetch(new URL(path, location.href), { redirect: 'manual', ...options, headers: { accept: 'application/json', ...options.headers, ...(token && { authorization: 'Bearer ' + token }) } });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Problem({ title: 'The service cannot be reached', detail: 'Is it running, and is the network there?', status: 0 });
    }
    if (response.type === 'opaqueredirect') throw new Problem({ title: 'The result is too large for this page', detail: 'A smaller copy of the image gives a smaller result.', status: 303 });
    if (!response.ok) throw await problemOf(response);
    return response.json();
  };
  const troubleOf = error => error instanceof Problem ? error : new Problem({ title: 'The answer cannot be shown', detail: error.message, status: 0 });
`;
