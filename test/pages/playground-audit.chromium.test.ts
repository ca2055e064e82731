/** Who can use the playground: every hand, every eye, every ear, every width of screen. */
import type { FileChooser, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { emptyLabelMap } from '#core/labels/label-map';
import { chromiumReason, hasChromium } from './chromium.ts';
import { faintText, namelessNodes } from './page-audit.ts';
import { desk, overlayPixels, phone, playgroundReader, sceneName, scenePhoto } from './playground-reader.ts';
import { problem, segmentationOf } from './stand-in-service.ts';

const focused = (page: Page) =>
  page.evaluate(
    `(() => { const at = document.activeElement; return at.id || at.closest('li')?.dataset.id || at.className; })()`,
  );

/** Forty classes with long and hostile names. */
async function crowded() {
  const map = emptyLabelMap(90, 60);
  for (let at = 0; at < map.data.length; at++) map.data[at] = Math.floor(at / 20) % 41;
  const nameOf = (id: number) =>
    id % 3
      ? `<img src=x onerror=alert(1)> class ${id}`
      : `Donaudampfschifffahrtsgesellschaftskapitaen${'n'.repeat(60)}${id}`;
  return segmentationOf(map, nameOf);
}

describe.skipIf(!hasChromium)(`playground for everybody, in Chromium${chromiumReason}`, () => {
  const { open, openLabelled, labelled, service, expectOnConsole } = playgroundReader();

  const openCrowded = async (options = {}) => {
    const body = await crowded();
    const page = await open(
      set => {
        set.segment = () => ({ body: { ...body, warnings: ['40 of 400 segments are given.'] } });
      },
      { ...desk, ...options },
    );
    const { file } = await scenePhoto(4, 90, 60);
    await page.locator('#file').setInputFiles({ ...file, name: `${'very-long-name-'.repeat(12)}.jpg` });
    await labelled(page);
    return page;
  };

  test('nothing is wider than the screen, be it a phone, a tablet or a desk', async () => {
    const page = await openCrowded();
    await page.locator('summary').click();
    for (const width of [320, 360, 390, 768, 1280]) {
      await page.setViewportSize({ width, height: 844 });
      expect(await page.evaluate('document.documentElement.scrollWidth'), String(width)).toBe(width);
    }
  });

  test('names of classes and files are texts, never markup', async () => {
    const page = await openCrowded();
    expect(await page.locator('img').count()).toBe(1);
    expect(await page.locator('#legend .name', { hasText: '<img src=x' }).count()).toBe(27);
    expect(await page.locator('#notes').textContent()).toBe('40 of 400 segments are given.');
  });

  test.each(['light', 'dark'] as const)('every text has a contrast of 4.5 or more: %s', async colorScheme => {
    expectOnConsole(/status of 422/);
    const page = await openCrowded({ colorScheme });
    await page.locator('#legend input').first().uncheck();
    expect(await faintText(page)).toEqual([]);
    service().segment = () => problem(422, 'No image', { errors: [{ path: '/image', message: 'is none' }] });
    await page.locator('#file').setInputFiles({ name: 'a.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no') });
    await page.getByRole('alert').getByRole('heading').waitFor();
    expect(await faintText(page, 8)).toEqual([]);
  });

  test.each([desk, phone])('everything one can use or look at has a name: %o', async options => {
    const page = await open(() => {}, options);
    expect(await namelessNodes(page)).toEqual([]);
    await page.context().close();
    await service().stop();
    const { page: done } = await openLabelled(5, options);
    expect(await namelessNodes(done)).toEqual([]);
  });

  test('by keys alone: choose, look around, switch a class off, save', async () => {
    const { file, map } = await scenePhoto(5);
    const result = await segmentationOf(map, sceneName);
    const page = await open(set => {
      set.segment = () => ({ body: result });
    });
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the playground');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('file');
    let chooser: FileChooser | undefined;
    page.on('filechooser', opened => {
      chooser = opened;
    });
    // On a busy machine a press can be too old by the time it is handled; people press again.
    const opens = async () => {
      if (!chooser) await page.keyboard.press('Enter');
      return chooser !== undefined;
    };
    await expect.poll(opens, { timeout: 20_000, interval: 1000 }).toBe(true);
    await chooser!.setFiles(file);
    await labelled(page);
    const said = (words: RegExp) => expect.poll(() => page.getByRole('status').first().textContent()).toMatch(words);
    await said(/^2 classes in this picture: honeycomb 12\.1%, zebra 4\.5%$/);
    await page.locator('#stage').focus();
    await page.keyboard.press('Shift+ArrowLeft');
    await said(/^(honeycomb|background|zebra).*at 38% from the left, 50% from the top$/);
    expect(await page.locator('#cross').isVisible()).toBe(true);
    for (let i = 0; i < 12; i++) await page.keyboard.press('Shift+ArrowUp');
    await said(/at 38% from the left, 0% from the top$/);
    const order = [];
    for (let i = 0; i < 9; i++) {
      await page.keyboard.press('Tab');
      order.push(await focused(page));
      if (order.at(-1) === '6') await page.keyboard.press('Space');
    }
    expect(order).toEqual(['opacity', 'show-all', 'hide-all', '6', '2', 'save-png', 'save-json', 'save-picture', '']);
    expect((await overlayPixels(page)).filter((value, at) => at % 4 === 3 && value > 0)).toHaveLength(
      map.data.filter(id => id === 2).length,
    );
    await page.locator('#save-png').focus();
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    expect(download.suggestedFilename()).toBe('scene-5-labels.png');
  });
});
