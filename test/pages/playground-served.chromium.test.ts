/** The playground as `selflabel serve` gives it, on a real model. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { colourOf } from '#core/labels/palette';
import { SegmentationClient } from '../../client/index.ts';
import { servedModel } from '../client/served.ts';
import { closesApi, png } from '../pipeline/serve/api-world.ts';
import { painting } from '../pipeline/serve/small-model.ts';
import { chromiumReason, hasChromium, launchChromium } from './chromium.ts';
import { dropFiles, overlayPixels } from './playground-reader.ts';

closesApi();

describe.skipIf(!hasChromium)(`playground of a running service, in Chromium${chromiumReason}`, () => {
  const address = servedModel();
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test('drop an image: the overlay shows the service’s own segments; drop rubbish: the reason', async () => {
    const page = await browser.newPage();
    const troubles: string[] = [];
    page.on('console', message => message.type() === 'error' && troubles.push(message.text()));
    page.on('pageerror', error => troubles.push(error.message));
    const answer = await page.goto(address());
    expect(answer!.headers()['content-security-policy']).toMatch(/^default-src 'none'; connect-src 'self'/);
    await page.locator('#model-facts', { hasText: 'small · 3 classes · version v1' }).waitFor();
    expect(await page.getByLabel('Foreground threshold').count()).toBe(1);

    const file = Buffer.from(png(painting(['rg.', 'b..'], 20)));
    await dropFiles(page, [{ name: 'flags.png', mimeType: 'image/png', buffer: file }]);
    await page.locator('main[data-state=done]').waitFor();
    const { segments } = await new SegmentationClient(address()).segment(file);
    expect(await page.evaluate('document.querySelector("#file-facts").textContent')).toMatch(/^60 × 40 · \d+ kB$/);
    const pixels = await overlayPixels(page);
    const painted = new Map<number, number>();
    for (let at = 0; at < pixels.length; at += 4) {
      const colour = pixels.readUIntBE(at, 3);
      if (pixels[at + 3] === 255) painted.set(colour, (painted.get(colour) ?? 0) + 1);
    }
    const expected = segments.map(
      ({ classId, area }) => [Buffer.from(colourOf(classId)).readUIntBE(0, 3), area] as const,
    );
    expect(painted).toEqual(new Map(expected));
    expect(await page.locator('#legend .name').allTextContents()).toHaveLength(3);

    expect(troubles).toEqual([]);
    await dropFiles(page, [{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no picture') }]);
    await page.getByRole('alert').getByRole('heading', { name: 'The image cannot be used' }).waitFor();
    expect(await page.locator('#panel').isVisible()).toBe(false);
    expect(troubles.join()).toMatch(/^Failed to load resource: the server responded with a status of 422[^,]*$/);
  });
});
