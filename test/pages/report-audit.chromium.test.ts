/** Who can read the report: every eye, every ear, every name of a file, paper, and browsers without scripts. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ReportData } from '#core/pages/report-data';
import { reportData } from '../core/pages/report-data.ts';
import { chromiumReason, hasChromium } from './chromium.ts';
import { faintText, namelessNodes } from './page-audit.ts';
import { desk, phone, reportReader } from './report-reader.ts';

describe.skipIf(!hasChromium)(`report for everybody, in Chromium${chromiumReason}`, () => {
  const { open, loaded, folder } = reportReader();

  test.each(['light', 'dark'] as const)('every text has a contrast of 4.5 or more: %s', async colorScheme => {
    for (const [options, data] of [
      [desk, reportData({ classes: 12 })],
      [phone, unluckyData()],
    ] as const) {
      const page = await open(data, { ...options, colorScheme });
      await page.locator('.rename input').first().fill('dog');
      expect(await faintText(page)).toEqual([]);
    }
  });

  test.each([desk, phone])('everything one can use or look at has a name: %o', async options => {
    const page = await open(reportData({ classes: 12 }), options);
    expect(await namelessNodes(page)).toEqual([]);
    await page.locator('.class .t').first().click();
    expect(await namelessNodes(page)).toEqual([]);
  });

  test('files with hostile names are found, and nothing they say is run', async () => {
    const data = reportData({ classes: 2, members: 3 });
    const hostile = (text: string) => `<img src=x onerror=alert(1)>"'#%20?&amp; ü日\u202e${text}`;
    const [thumbnail, overlay] = [hostile('.jpg'), hostile('.png')];
    await copyFile(join(folder(), 'thumbnails/0-0.jpg'), join(folder(), thumbnail));
    await copyFile(join(folder(), 'overlays/0-0.png'), join(folder(), overlay));
    const classes = data.classes.map(one => ({
      ...one,
      name: hostile(''),
      members: one.members.map(member => ({ ...member, image: hostile('.jpg'), thumbnail, overlay })),
    }));
    const page = await open({ ...data, classes, directory: hostile('') });
    await page.locator('.class .t').first().click();
    await loaded(page, '#view img');
    expect(await page.locator('#view-title').textContent()).toBe(hostile('.jpg'));
    expect(await page.locator('img[src="x"]').count()).toBe(0);
  });

  test('without JavaScript it is still a report, without controls that would do nothing', async () => {
    const page = await open(reportData({ classes: 12 }), { ...desk, javaScriptEnabled: false });
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('harbour-2026');
    expect(await page.locator('.class').count()).toBe(12);
    expect(await page.locator('#class-filter').isVisible()).toBe(false);
    expect(await page.locator('.copy:visible').count()).toBe(0);
  });

  test('paper shows every list and no controls', async () => {
    const page = await open(reportData({ classes: 12 }));
    await page.emulateMedia({ media: 'print' });
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    expect(await page.locator('details:not([open])').count()).toBe(0);
    expect(await page.locator('nav:visible, .toolbar:visible, .copy:visible, .rename:visible').count()).toBe(0);
  });
});

/** Everything that can be wrong at once: the page's other colours. */
function unluckyData(): ReportData {
  const data = reportData({ classes: 3, masks: false });
  const sign = { value: 0.9, limit: 0.4, suspicious: true };
  return {
    ...data,
    run: { ...data.run, backbone: { name: 'filter-bank', sha256: null, builtIn: true } },
    receipt: { ...data.receipt, counts: { ...data.receipt.counts, total: 1 } },
    foreground: {
      ...data.foreground!,
      check: { failed: true, agreement: sign, borderForeground: sign, allOrNothing: sign },
    },
  };
}
