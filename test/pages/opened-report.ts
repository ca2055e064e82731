/** A report in a browser. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { launchChromium } from './chromium.ts';

/** Moves the report elsewhere, so that nothing it needs may lie outside, and opens it from the file system. */
export async function assertReportOpens(out: string, room: string): Promise<void> {
  const moved = join(room, `report of ${Date.now()} #1`);
  cpSync(join(out, 'report'), moved, { recursive: true });
  const browser = await launchChromium();
  try {
    const page = await (await browser.newContext({ offline: true })).newPage();
    const complaints: string[] = [];
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', error => complaints.push(error.message));
    page.on('requestfailed', request => complaints.push(`${request.url()} failed`));
    await page.goto(pathToFileURL(join(moved, 'index.html')).href);
    await page.evaluate('document.querySelectorAll("img").forEach(img => { img.loading = "eager"; })');
    await page.waitForLoadState('networkidle');
    const pictures = (await page.evaluate(
      '[...document.images].filter(img => img.hasAttribute("src")).map(img => img.naturalWidth)',
    )) as number[];
    expect(pictures.length).toBeGreaterThan(5);
    expect(pictures.every(width => width > 0)).toBe(true);
    expect(complaints).toEqual([]);
    expect(await page.evaluate('document.body.innerText')).toContain('class 1');
  } finally {
    await browser.close();
  }
}
