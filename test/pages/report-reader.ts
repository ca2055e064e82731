/** Opens reports in a real browser, with pictures beside them, and fails the test if anything goes wrong inside. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { reportPage } from '#core/pages/report';
import type { ReportData } from '#core/pages/report-data';
import { launchChromium } from './chromium.ts';
import { drawPictures } from './report-pictures.ts';

export const desk = { viewport: { width: 1280, height: 900 } };
export const phone = { viewport: { width: 390, height: 844 } };

/** Call inside a suite: registers what must happen before and after its tests. */
export function reportReader() {
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
  afterEach(async () => {
    await Promise.all(browser.contexts().map(context => context.close()));
    expect(troubles.splice(0), 'errors on the console, or requests beyond the folder').toEqual([]);
  });

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

  return { open, loaded, folder: () => folder };
}
