/** The leaderboard's behaviour in the browser: sorting by a column, and sending a zip. */

/** Base64 of the script's SHA-256, for the page's policy: nothing else may run. A test holds the two together. */
export const leaderboardScriptSha256 = 'sha256-bi+UUXBmpD6mtD7xnFhqTK2grdpNa7gszFRIS1tFrbY=';

export const leaderboardScript = `'use strict';
(() => {
  const valueOf = cell => (cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value));
  for (const button of document.querySelectorAll('.sort')) {
    button.addEventListener('click', () => {
      const head = button.closest('th');
      const row = head.parentElement;
      const place = [...row.children].indexOf(head);
      const down = head.getAttribute('aria-sort') !== 'descending';
      for (const other of row.children) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const body = head.closest('table').tBodies[0];
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [valueOf(a.cells[place]), valueOf(b.cells[place])];
        const order = typeof x === 'number' ? x - y : x.localeCompare(y);
        return down ? -order : order;
      });
      body.append(...rows);
    });
  }
  const form = document.getElementById('send');
  if (!form) return;
  const verdict = document.getElementById('verdict');
  form.addEventListener('submit', async event => {
    event.preventDefault();
    const [file] = document.getElementById('zip').files;
    verdict.textContent = 'Scoring ' + file.name + ' …';
    try {
      const address = 'submissions/' + document.getElementById('protocol').value + '/' + encodeURIComponent(file.name);
      const answer = await (await fetch(address, { method: 'PUT', body: file })).json();
      verdict.textContent = answer.state + (answer.reason ? ': ' + answer.reason : '; reload the page to see it');
    } catch (error) {
      verdict.textContent = 'The submission did not arrive: ' + error.message;
    }
  });
})();`;
