/** The leaderboard in a real browser: it sorts, fits a phone, and complains of nothing. */
import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Entry, Leaderboard } from '#core/benchmark/leaderboard';
import { leaderboardPage } from '#core/pages/leaderboard';
import { chromiumReason, hasChromium, launchChromium } from './chromium.ts';

const entry = (submitter: string, miou: number): Entry => ({
  submitter,
  file: `${submitter}-1.zip`,
  sha256: submitter,
  received: '2026-01-02T03:04:05.000Z',
  method: { name: `Method of ${submitter}`, data: '', scheme: 'SSL', networks: '', link: '', description: 'Words' },
  scores: {
    miou,
    miouForeground: miou / 2,
    boundaryMiou: miou / 3,
    imageAccuracy: 1 - miou,
    fBeta: null,
    sizes: { s: 0.1, ms: 0.2, ml: miou, l: null },
    perClass: Array.from({ length: 51 }, (_, id) => ({ id, name: `class ${id}`, iou: id / 51 })),
  },
});

const boards: Leaderboard[] = ['unsupervised-50', 'distance-50'].map(protocol => ({
  version: 1,
  protocol,
  entries: [
    entry('anna', 0.293),
    entry('bert', 0.411),
    entry('carla', 0.35),
    {
      submitter: 'dora',
      file: 'dora-1.zip',
      sha256: 'd',
      received: '2026-01-03T00:00:00.000Z',
      refused: 'method.txt is missing',
    },
  ],
}));

describe.skipIf(!hasChromium)(`the leaderboard in Chromium${chromiumReason}`, () => {
  it('sorts by a column, fits a phone, and has no errors', async () => {
    const browser = await launchChromium();
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const errors: string[] = [];
      page.on('console', message => message.type() === 'error' && errors.push(message.text()));
      page.on('pageerror', error => errors.push(error.message));
      await page.setContent(leaderboardPage(boards, ['unsupervised-50', 'distance-50']));
      const submitters = () => page.locator('table').first().locator('tbody tr td:nth-child(2)').allTextContents();
      expect(await submitters()).toEqual(['bert', 'carla', 'anna']);
      await page.locator('.sort', { hasText: 'accuracy' }).first().click();
      expect(await submitters()).toEqual(['anna', 'carla', 'bert']);
      await page.locator('.sort', { hasText: 'accuracy' }).first().click();
      expect(await submitters()).toEqual(['bert', 'carla', 'anna']);
      const shots = process.env.SELFLABEL_SCREENSHOTS;
      if (shots) {
        mkdirSync(shots, { recursive: true });
        await page.locator('.classes summary').first().click();
        await page.screenshot({ path: `${shots}/leaderboard.png` });
      }
      await page.setViewportSize({ width: 390, height: 844 });
      const wide = await page.locator('html').evaluate(html => html.scrollWidth - html.clientWidth);
      expect(wide).toBeLessThanOrEqual(0);
      if (shots) await page.screenshot({ path: `${shots}/leaderboard-phone.png` });
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
