/** Opens the playground in a real browser against a service that answers as told; fails the test if anything goes wrong inside. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { sceneCategories } from '#core/scenes/categories';
import { scene } from '#core/scenes/scene';
import { launchChromium } from './chromium.ts';
import { desk } from './report-reader.ts';
import { StandInService, segmentationOf } from './stand-in-service.ts';

export { desk, phone } from './report-reader.ts';

/** A drawn scene as a JPEG file, with the labels that the service shall answer. */
export async function scenePhoto(seed: number, width = 320, height = 240) {
  const { image, classes } = scene(seed, { width, height });
  const raw = { width, height, channels: 3 as const };
  const bytes = await sharp(image.data, { raw }).jpeg({ quality: 92 }).toBuffer();
  return { file: { name: `scene-${seed}.jpg`, mimeType: 'image/jpeg', buffer: bytes }, map: classes };
}

export const sceneName = (id: number) => sceneCategories[id - 1] ?? `class ${id}`;

/** Call inside a suite: registers what must happen before and after its tests. */
export function playgroundReader() {
  let browser: Browser;
  let address: string;
  let service: StandInService;
  const troubles: string[] = [];
  /** Console messages of a failed request name its status; a test that provokes one says so. */
  let expected = /^$/;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    await Promise.all(browser.contexts().map(context => context.close()));
    await service.stop();
    expect(service.broken, 'answers of the stand-in that the API would not give').toEqual([]);
    expect(troubles.splice(0), 'errors on the console, or requests elsewhere').toEqual([]);
    expected = /^$/;
  });

  async function open(set: (service: StandInService) => void = () => {}, options: BrowserContextOptions = desk) {
    service = new StandInService();
    set(service);
    address = await service.start();
    const context = await browser.newContext({ reducedMotion: 'reduce', acceptDownloads: true, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('console', message => {
      if (message.type() === 'error' && !expected.test(message.text())) troubles.push(message.text());
    });
    page.on('pageerror', error => troubles.push(error.message));
    page.on('request', request => {
      if (!request.url().startsWith(address) && !/^(blob|data):/.test(request.url())) troubles.push(request.url());
    });
    await page.goto(address);
    return page;
  }

  /** The page after a scene was chosen by its button and labelled with the scene's own mask. */
  async function openLabelled(seed: number, options: BrowserContextOptions = desk) {
    const { file, map } = await scenePhoto(seed);
    const result = await segmentationOf(map, sceneName);
    const page = await open(set => {
      set.segment = () => ({ body: result });
    }, options);
    await page.locator('#file').setInputFiles(file);
    await labelled(page);
    return { page, file, map, result };
  }

  const labelled = (page: Page) => page.locator('main[data-state=done]').waitFor();

  return {
    open,
    openLabelled,
    labelled,
    service: () => service,
    expectOnConsole: (words: RegExp) => {
      expected = words;
    },
  };
}

/** RGBA of every pixel of the overlay. */
export async function overlayPixels(page: Page): Promise<Buffer> {
  const base64 = await page.evaluate(`(async () => {
    const canvas = document.getElementById('overlay');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const reader = new FileReader();
    await new Promise(done => { reader.onload = done; reader.readAsDataURL(new Blob([data])); });
    return reader.result.split(',')[1];
  })()`);
  return Buffer.from(base64 as string, 'base64');
}

/** Drops files on the page as a desktop does. */
export async function dropFiles(
  page: Page,
  files: { name: string; mimeType: string; buffer: Buffer }[],
): Promise<void> {
  const transfer = await page.evaluateHandle(
    `(() => {
      const transfer = new DataTransfer();
      for (const { name, type, base64 } of ${JSON.stringify(files.map(({ name, mimeType, buffer }) => ({ name, type: mimeType, base64: buffer.toString('base64') })))}) {
        transfer.items.add(new File([Uint8Array.from(atob(base64), char => char.charCodeAt(0))], name, { type }));
      }
      return transfer;
    })()`,
  );
  await page.dispatchEvent('body', 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}
