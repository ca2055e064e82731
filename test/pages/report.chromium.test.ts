import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { reportPage } from '#core/pages/report';
import type { ReportData } from '#core/pages/report-data';
import { reportData } from '../core/pages/report-data.ts';
import { chromiumReason, hasChromium, launchChromium } from './chromium.ts';
import { faintText, namelessNodes } from './page-audit.ts';
import { drawPictures } from './report-pictures.ts';

const desk = { viewport: { width: 1280, height: 900 } };
const phone = { viewport: { width: 390, height: 844 } };

describe.skipIf(!hasChromium)(`report in Chromium${chromiumReason}`, () => {
  let browser: Browser;
  let folder: string;
  const troubles: string[] = [];

  beforeAll(async () => {
    [browser, folder] = await Promise.all([launchChromium(), mkdtemp(join(tmpdir(), 'report-'))]);
    await drawPictures(folder);
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(() => expect(troubles.splice(0), 'errors on the console or requests beyond the folder').toEqual([]));

  /** Opens the report as a file; whatever goes wrong in it fails the test. */
  async function open(data: ReportData, options: BrowserContextOptions = desk): Promise<Page> {
    const file = join(folder, `${data.classes.length}.html`);
    await writeFile(file, reportPage(data));
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('console', message => message.type() === 'error' && troubles.push(message.text()));
    page.on('pageerror', error => troubles.push(error.message));
    page.on('dialog', dialog => troubles.push(dialog.message()));
    page.on('request', request => request.url().startsWith(pathToFileURL(folder).href) || troubles.push(request.url()));
    await page.goto(pathToFileURL(file).href);
    return page;
  }

  /** Waits until every picture of a selector is there. */
  const loaded = (page: Page, selector: string) =>
    expect
      .poll(() => page.evaluate(`[...document.querySelectorAll('${selector}')].every(img => img.naturalWidth > 0)`))
      .toBe(true);

  const names = (page: Page) => page.locator('.class:visible h3 .name').allTextContents();

  test.each([
    [50, [360, 390, 768, 1280]],
    [300, [390, 1280]],
  ])('%i classes: nothing is wider than the screen, be it %j pixels', async (classes, widths) => {
    const page = await open(reportData({ classes }));
    await page.addStyleTag({ content: '*{content-visibility:visible!important}' });
    for (const width of widths) {
      await page.setViewportSize({ width, height: 844 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    }
    await page.context().close();
  });

  test('pictures load when they come near, and only then', async () => {
    const page = await open(reportData({ classes: 50 }));
    const count = () =>
      page
        .locator('.class img')
        .evaluateAll(all => all.filter(img => (img as { naturalWidth?: number }).naturalWidth).length);
    await page.waitForLoadState('networkidle');
    expect(await count()).toBeLessThan(600);
    await page.locator('.class').last().scrollIntoViewIfNeeded();
    await loaded(page, '.class:last-child img');
    await page.context().close();
  });

  test('what is on the screen does not jump while scrolling', async () => {
    const page = await open(reportData({ classes: 50 }), phone);
    await page.evaluate(`window.moved = 0;
      new PerformanceObserver(list => { for (const shift of list.getEntries()) moved += shift.value; }).observe({ type: 'layout-shift', buffered: true })`);
    for (let at = 0; at < 40; at++) {
      await page.mouse.wheel(0, 700);
      await page.evaluate('new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
    }
    expect(await page.evaluate('scrollY')).toBeGreaterThan(5000);
    expect(await page.evaluate('moved')).toBeLessThan(0.1);
    await page.context().close();
  });

  test('classes are filtered by name, number and file', async () => {
    const page = await open(reportData({ classes: 50 }));
    const filter = page.getByRole('searchbox', { name: 'Filter' }).first();
    await filter.fill('boat');
    const shown = await names(page);
    expect(shown.length).toBeGreaterThan(0);
    expect(await page.locator('#class-count').textContent()).toBe(`${shown.length} of 50`);
    expect(
      await page.locator('.class:visible').evaluateAll(all => all.every(card => card.innerHTML.includes('boat'))),
    ).toBe(true);
    await filter.fill('17');
    expect(await page.locator('.class:visible .swatch').allTextContents()).toContain('17');
    await filter.fill('nothing like it');
    expect(await names(page)).toEqual([]);
    expect(await page.locator('#no-class').isVisible()).toBe(true);
    await filter.fill('');
    expect(await names(page)).toHaveLength(50);
    await page.context().close();
  });

  test('classes are sorted by every order, unknown figures last', async () => {
    const data = reportData({ classes: 50 });
    const page = await open(data);
    const sort = page.getByLabel('Sort');
    const ids = async (order: string) => {
      await sort.selectOption(order);
      return (await page.locator('.class').evaluateAll(all => all.map(card => card.id))).map(id => Number(id.slice(6)));
    };
    const by = (key: 'pixels' | 'images' | 'cohesion' | 'confidence', sign: number) =>
      [...data.classes]
        .sort((a, b) => Number(a[key] === null) - Number(b[key] === null) || sign * (a[key]! - b[key]!) || a.id - b.id)
        .map(({ id }) => id);
    expect(await ids('-cohesion')).toEqual(by('cohesion', 1));
    expect(await ids('cohesion')).toEqual(by('cohesion', -1));
    expect(await ids('-confidence')).toEqual(by('confidence', 1));
    expect(await ids('images')).toEqual(by('images', -1));
    expect(await ids('-pixels')).toEqual(by('pixels', 1));
    expect(await ids('id')).toEqual(data.classes.map(({ id }) => id));
    const named = await ids('name').then(() => names(page));
    expect(named).toEqual([...named].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })));
    await page.context().close();
  });

  test('the slider sets how much of the picture the labels cover', async () => {
    const page = await open(reportData({ classes: 12 }));
    const opacity = () => page.evaluate('Number(getComputedStyle(document.querySelector(".class img + img")).opacity)');
    expect(await opacity()).toBeCloseTo(0.6);
    await page
      .getByRole('slider', { name: /Label opacity/ })
      .first()
      .press('Home');
    expect(await opacity()).toBe(0);
    expect(await page.locator('.side .overlay output').textContent()).toBe('0%');
    await page
      .getByRole('slider', { name: /Label opacity/ })
      .first()
      .press('End');
    expect(await opacity()).toBe(1);
    await page.context().close();
  });

  test('a picture is enlarged, walked through and closed by keyboard alone', async () => {
    const page = await open(reportData({ classes: 12 }));
    const focused = () =>
      page.evaluate('document.activeElement.matches(".class .t") ? document.activeElement.firstChild.alt : ""');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the report');
    for (let at = 0; at < 120 && !(await focused()); at++) await page.keyboard.press('Tab');
    const first = await focused();
    expect(first).toMatch(/IMG_/);
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');

    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    expect(await dialog.getByRole('heading').textContent()).toBe(first);
    await loaded(page, '#view img');
    await page.keyboard.press('ArrowRight');
    const second = await dialog.getByRole('heading').textContent();
    expect(second).not.toBe(first);
    expect(await dialog.locator('#view-facts').textContent()).toMatch(
      /^Class 1, ball · central · confidence 0\.\d\d · distance to the centroid 0\.\d\d · 2 of 108$/,
    );
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    expect(await dialog.locator('#view-facts').textContent()).toContain('108 of 108');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await expect.poll(focused).toBe(second);
    await page.context().close();
  });

  test('enlarging walks through what the filter shows, and through the review on its own', async () => {
    const page = await open(reportData({ classes: 12 }));
    await page.locator('#class-filter').fill('boat');
    await page.locator('.class:visible .t').first().click();
    expect(await page.locator('#view-facts').textContent()).toContain('1 of 9');
    await page.getByRole('button', { name: 'Close' }).click();
    await page.locator('.review .t').first().click();
    expect(await page.locator('#view-facts').textContent()).toMatch(/^confidence 0\.21 · 1 of 18$/);
    await page.context().close();
  });

  test('names typed on the cards become commands; the same name merges', async () => {
    const page = await open(reportData({ classes: 12 }));
    await page.getByLabel('New name for class 2', { exact: true }).fill('dog');
    await page.getByLabel('New name for class 4', { exact: true }).fill('dog');
    await page.getByLabel('New name for class 3', { exact: true }).fill("it's $5");
    await page.getByLabel('Ignore class 5', { exact: true }).check();
    expect(await page.locator('#class-3 code').textContent()).toBe(
      `selflabel classes rename harbour-2026 3 'it'\\''s $5'`,
    );
    expect((await page.locator('#changes pre').textContent())!.split('\n')).toEqual([
      'selflabel classes ignore harbour-2026 5',
      'selflabel classes merge harbour-2026 2 4',
      'selflabel classes rename harbour-2026 2 "dog"',
      `selflabel classes rename harbour-2026 3 'it'\\''s $5'`,
    ]);
    await page.getByRole('button', { name: 'Copy all commands' }).click();
    await page.getByText('Copied').waitFor();
    await page.getByRole('button', { name: 'Forget them' }).click();
    expect(await page.locator('#changes').isHidden()).toBe(true);
    expect(await page.locator('#class-3 code').textContent()).toBe(
      'selflabel classes rename harbour-2026 3 "new name"',
    );
    await page.context().close();
  });

  test('the copied command is the one that is shown', async () => {
    const page = await open(reportData({ classes: 12 }));
    await page.getByRole('button', { name: 'Copy the command for class 7' }).click();
    await page.getByText('Copied').waitFor();
    await page.locator('#class-filter').focus();
    await page.keyboard.press('Control+V');
    expect(await page.locator('#class-filter').inputValue()).toBe('selflabel classes rename harbour-2026 7 "new name"');
    await page.context().close();
  });

  test('the table of classes is sorted by its heads', async () => {
    const page = await open(reportData({ classes: 50 }));
    const head = page.locator('.sortable th', { hasText: 'Pixels' });
    const pixels = async () =>
      (
        await page
          .locator('.sortable td:last-child')
          .evaluateAll(all => all.map(cell => (cell as { dataset?: Record<string, string> }).dataset!.v!))
      ).map(Number);
    await head.getByRole('button').click();
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    expect(await pixels()).toEqual((await pixels()).sort((a, b) => b - a));
    await head.getByRole('button').press('Enter');
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    expect(await pixels()).toEqual((await pixels()).sort((a, b) => a - b));
    const iou = page.locator('.sortable th', { hasText: /^IoU/ });
    await iou.getByRole('button').click();
    expect(await page.locator('.sortable tr:last-child td').nth(1).textContent()).toContain('—');
    await page.context().close();
  });

  test('long lists unfold and filter; the reader’s pace changes the estimate', async () => {
    const page = await open(reportData({ classes: 12 }));
    await page.locator('summary', { hasText: '9 duplicates' }).click();
    await page.locator('[data-filters=duplicate-files]').fill('IMG_1003');
    expect(await page.locator('#duplicate-files > li:visible').count()).toBe(1);
    await page.getByLabel('Seconds per image').fill('100');
    expect(await page.locator('[data-estimate]').textContent()).toBe('2 h');
    await page.context().close();
  });

  test.each(['light', 'dark'] as const)('every text has a contrast of 4.5 or more: %s', async colorScheme => {
    for (const [options, data] of [
      [desk, reportData({ classes: 12 })],
      [phone, unluckyData()],
    ] as const) {
      const page = await open(data, { ...options, colorScheme });
      await page.locator('.rename input').first().fill('dog');
      expect(await faintText(page)).toEqual([]);
      await page.context().close();
    }
  });

  test.each([desk, phone])('everything one can use or look at has a name: %o', async options => {
    const page = await open(reportData({ classes: 12 }), options);
    expect(await namelessNodes(page)).toEqual([]);
    await page.locator('.class .t').first().click();
    expect(await namelessNodes(page)).toEqual([]);
    await page.context().close();
  });

  test('files with hostile names are found, and nothing they say is run', async () => {
    const data = reportData({ classes: 2, members: 3 });
    const hostile = (text: string) => `<img src=x onerror=alert(1)>"'#%20?&amp; ü日\u202e${text}`;
    const [thumbnail, overlay] = [hostile('.jpg'), hostile('.png')];
    await copyFile(join(folder, 'thumbnails/0-0.jpg'), join(folder, thumbnail));
    await copyFile(join(folder, 'overlays/0-0.png'), join(folder, overlay));
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
    await page.context().close();
  });

  test('without JavaScript it is still a report, without controls that would do nothing', async () => {
    const page = await open(reportData({ classes: 12 }), { ...desk, javaScriptEnabled: false });
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('harbour-2026');
    expect(await page.locator('.class').count()).toBe(12);
    expect(await page.locator('#class-filter').isVisible()).toBe(false);
    expect(await page.locator('.copy:visible').count()).toBe(0);
    await page.context().close();
  });

  test('paper shows every list and no controls', async () => {
    const page = await open(reportData({ classes: 12 }));
    await page.emulateMedia({ media: 'print' });
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    expect(await page.locator('details:not([open])').count()).toBe(0);
    expect(await page.locator('nav:visible, .toolbar:visible, .copy:visible, .rename:visible').count()).toBe(0);
    await page.context().close();
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
