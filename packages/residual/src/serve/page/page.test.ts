// A person's way through the page in Chromium, with trained weights behind it: pictures come in by all ways, classes and
// heat map appear, nothing leaves the origin, and axe-core finds nothing wrong.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { findChromium, NO_BROWSER } from '../../../../../tools/browser/find.ts';
import { launch } from '../../../../../tools/browser/open.ts';
import { classesOf, findWeights, openData, preprocessingOfEntry, resnet18 } from '../../index.ts';
import { answer, type ServedModel, startServer, type TestServer } from './testing.ts';

const skip = findChromium() === undefined && NO_BROWSER;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser: Browser;
let server: TestServer;
let clothes: ServedModel;
/** A picture that no training has seen, twice as wide as high, and what the network says of it. */
let boot: Buffer;
let expected: Awaited<ReturnType<typeof answer>>;

before(async () => {
  if (skip !== false) return;
  await tf.setBackend('jit');
  const entry = findWeights('fashion-mnist');
  assert.ok(entry !== undefined);
  const model = await resnet18({ weights: 'fashion-mnist', onReport: () => {} });
  clothes = { model, info: { classes: classesOf(entry), preprocessing: preprocessingOfEntry(entry, [28, 28, 1]) } };
  const { test: unseen } = await openData('fashion-mnist');
  assert.ok(unseen !== undefined);
  const first = unseen.labels.indexOf(clothes.info.classes.indexOf('Ankle boot'));
  const { images } = await unseen.read(Int32Array.of(first));
  const grey = sharp(Uint8Array.from(images), { raw: { width: 28, height: 28, channels: 1 } });
  boot = await grey.extend({ left: 14, right: 14, background: '#777' }).png().toBuffer();
  expected = await answer(clothes, boot);
  const tiny = resnet18({ inputShape: [28, 28, 1], classes: 10, width: 4 });
  server = await startServer({ clothes, 'exported.file': { ...clothes, model: tiny, explains: false } });
  browser = await launch('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream');
});

after(async () => {
  await browser?.close();
  await server?.close();
});

interface Visit {
  readonly page: Page;
  /** The addresses that the page asked for. */
  readonly asked: readonly string[];
  /** Fails where the page asked another origin, broke its own policy, or complained. */
  end(): Promise<void>;
}

async function visit(
  origin: string,
  {
    width = 1280,
    height = 860,
    dark = false,
    path = '/',
  }: { width?: number; height?: number; dark?: boolean; path?: string } = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    hasTouch: width < 500,
    isMobile: width < 500,
  });
  const page = await context.newPage();
  const faults: string[] = [];
  const asked: string[] = [];
  page.on('console', (message) => {
    // A refusal of the server's is reported by the browser too, and is part of some tests.
    if (['error', 'warning'].includes(message.type()) && !/status of 4\d\d/.test(message.text()))
      faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    asked.push(request.url());
    if (!request.url().startsWith(origin) && !request.url().startsWith('blob:')) faults.push(`asked ${request.url()}`);
  });
  await page.goto(origin + path);
  return {
    page,
    asked,
    async end() {
      await context.close();
      assert.deepEqual(faults, []);
    },
  };
}

/** Drops or pastes a file, as a browser reports it. */
async function hand(page: Page, kind: 'drop' | 'paste', bytes: Uint8Array, name: string, type: string): Promise<void> {
  await page.evaluate(
    ({ kind, data, name, type }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(data)], name, { type }));
      const about = { bubbles: true, cancelable: true };
      document.body.dispatchEvent(
        kind === 'drop'
          ? new DragEvent('drop', { ...about, dataTransfer: transfer })
          : new ClipboardEvent('paste', { ...about, clipboardData: transfer }),
      );
    },
    { kind, data: [...bytes], name, type },
  );
}

const best = (page: Page) => page.locator('.best');

async function answered(page: Page, name: string): Promise<void> {
  await page.locator('.right:not(.busy) .best', { hasText: name }).waitFor({ timeout: 20_000 });
}

/** Where the heat map is hottest, in parts of the picture, and what it is beside the part that was seen. */
function heatOf(page: Page): Promise<{ x: number; y: number; peak: number; outside: number }> {
  return page.locator('canvas.heat').evaluate((canvas: HTMLCanvasElement) => {
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy?.drawImage(canvas, 0, 0);
    const { data } = copy?.getImageData(0, 0, width, height) ?? { data: [] };
    let [at, peak, outside] = [0, 0, 0];
    for (let i = 0; i < width * height; i++) {
      const [green, alpha] = [data[4 * i + 1], data[4 * i + 3]];
      // The ramp's green only grows.
      if (green > peak) [at, peak] = [i, green];
      const x = (i % width) / width;
      if ((x < 0.24 || x > 0.76) && alpha > outside) outside = alpha;
    }
    return { x: (at % width) / width, y: Math.floor(at / width) / height, peak, outside };
  });
}

async function assertAccessible(page: Page): Promise<void> {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
    };
    return (await axe.run()).violations.map(
      ({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map(({ html }) => html).join(' ')}`,
    );
  });
  assert.deepEqual(violations, []);
}

async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

test('a picture is dropped: its classes, and a heat map over the part that the network saw', { skip }, async () => {
  const { page, end } = await visit(server.origin);
  await page.getByText('It tells 10 classes apart').waitFor();
  await screenshot(page, 'empty');
  await assertAccessible(page);

  await hand(page, 'drop', boot, 'boot.png', 'image/png');
  await answered(page, 'Ankle boot');
  const rows = await page.locator('.classes .row').allInnerTexts();
  const [top] = expected.classes;
  assert.equal(top.name, 'Ankle boot');
  assert.equal(rows.length, 5);
  for (const [i, row] of rows.entries()) {
    const [name, share] = row.split('\n');
    const { name: wanted, probability } = expected.classes[i];
    assert.equal(name, wanted);
    const [, sign = '', number = ''] = /^([<>]?) ?([\d.]+) %$/.exec(share) ?? [];
    const shown = Number(number) / 100;
    assert.ok(
      sign !== '' ? Math.abs(probability - shown) <= 1e-3 : Math.abs(probability - shown) < 6e-4,
      `${share} for ${probability}`,
    );
  }
  assert.match(await page.locator('[role=status]').innerText(), /^The model sees Ankle boot, .*%; then /);
  assert.match(
    await page.locator('.facts').innerText(),
    /Server\s+[\d.]+ m?s\s+There and back\s+[\d.]+ m?s\s+Model\s+clothes, version 1/,
  );

  // The hottest place lies where Grad-CAM says, in the middle half of the picture.
  const map = expected.heatmap;
  assert.ok(map !== undefined && expected.class === 'Ankle boot');
  const place = map.values.indexOf(1);
  const heat = await heatOf(page);
  assert.ok(heat.peak > 240, `${heat.peak}`);
  assert.equal(heat.outside, 0);
  const [column, row] = [place % map.width, Math.floor(place / map.width)];
  assert.ok(
    Math.abs(heat.x - (0.25 + (0.5 * (column + 0.5)) / map.width)) < 0.5 / map.width,
    `${heat.x}, column ${column}`,
  );
  assert.ok(Math.abs(heat.y - (row + 0.5) / map.height) < 1 / map.height, `${heat.y}, row ${row}`);
  await screenshot(page, 'answer');
  await assertAccessible(page);
  await end();
});

test('all of it by keyboard: another class explained, the map fainter and off, another model', { skip }, async () => {
  const { page, asked, end } = await visit(server.origin, { dark: true });
  await hand(page, 'paste', boot, 'image.png', 'image/png');
  await answered(page, 'Ankle boot');
  const second = page.locator('button.row').nth(1);
  const name = (await second.innerText()).split('\n')[0];
  const before = await heatOf(page);
  await second.focus();
  await page.keyboard.press('Enter');
  await page.getByText(`Bright is what speaks for ${name}.`).waitFor();
  assert.equal(await second.getAttribute('aria-pressed'), 'true');
  assert.notDeepEqual(await heatOf(page), before);
  const question = `clothes:explain?${new URLSearchParams({ top: '25', class: name })}`;
  assert.ok(
    asked.some((address) => address.endsWith(question)),
    `${question} is not among ${asked}`,
  );

  const opacity = () => page.locator('canvas.heat').evaluate((canvas: HTMLElement) => Number(canvas.style.opacity));
  const faint = await opacity();
  await page.getByLabel('Strength').focus();
  await page.keyboard.press('Home');
  assert.equal(await opacity(), 0);
  await page.keyboard.press('End');
  assert.equal(await opacity(), 1);
  assert.ok(faint > 0 && faint < 1);
  await screenshot(page, 'dark');
  await assertAccessible(page);
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  assert.equal(await page.locator('canvas.heat').count(), 0);

  await page.getByLabel('Model').focus();
  await page.keyboard.press('ArrowDown');
  await page.locator('.right:not(.busy) .facts', { hasText: 'exported.file, version 1' }).waitFor();
  await page.getByText('An exported file cannot say why').waitFor();
  assert.equal(await page.locator('canvas.heat, button.row').count(), 0);
  await page.getByRole('button', { name: 'Show all 10 classes' }).click();
  assert.equal(await page.locator('.row').count(), 10);
  await end();
});

test('on a phone: a file is chosen, and all fits', { skip }, async () => {
  const { page, end } = await visit(server.origin, { width: 390, height: 844 });
  await screenshot(page, 'phone-empty');
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Choose a file' }).click();
  await (await chooser).setFiles({ name: 'boot.png', mimeType: 'image/png', buffer: boot });
  await answered(page, 'Ankle boot');
  await page.locator('canvas.heat').waitFor();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} pixels too wide`);
  const small = await page
    .locator('button:visible, select:visible')
    .evaluateAll((buttons) =>
      buttons.filter((button) => button.getBoundingClientRect().height < 36).map(({ outerHTML }) => outerHTML),
    );
  assert.deepEqual(small, []);
  await screenshot(page, 'phone');
  await assertAccessible(page);
  await end();
});

test('the camera gives a picture', { skip }, async () => {
  const { page, end } = await visit(server.origin);
  await page.getByRole('button', { name: 'Camera' }).click();
  const take = page.getByRole('button', { name: 'Take the picture' });
  await take.and(page.locator(':enabled')).waitFor();
  await screenshot(page, 'camera');
  await take.click();
  await best(page).waitFor();
  assert.equal(await page.locator('dialog').count(), 0);
  assert.equal(await page.locator('.frame img').getAttribute('alt'), 'Your picture, from the camera');
  await page.getByRole('button', { name: 'Camera' }).click();
  await assertAccessible(page);
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await end();
});

test('what goes wrong is said: no picture, a damaged one, a token that is wanted', { skip }, async () => {
  const guarded = await startServer({ clothes }, 'secret');
  const { page, end } = await visit(guarded.origin);
  try {
    const field = page.getByLabel('This server wants a token');
    await field.fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('This token is not accepted.').waitFor();
    await assertAccessible(page);
    await field.fill('secret');
    await page.keyboard.press('Enter');
    await page.getByText('It tells 10 classes apart').waitFor();

    await hand(page, 'drop', Buffer.from('hello'), 'notes.png', 'image/png');
    await page.getByRole('alert').filter({ hasText: 'notes.png is not a picture' }).waitFor();
    await assertAccessible(page);
    // Chromium shows what there is of a picture that breaks off; the server refuses it.
    const photo = await sharp({
      create: {
        width: 300,
        height: 300,
        channels: 3,
        background: '#38a',
        noise: { type: 'gaussian', mean: 128, sigma: 40 },
      },
    })
      .jpeg()
      .toBuffer();
    await hand(page, 'drop', photo.subarray(0, photo.length / 2), 'half.jpg', 'image/jpeg');
    await page
      .getByRole('alert')
      .filter({ hasText: /damaged/ })
      .waitFor();
    await hand(page, 'drop', boot, 'boot.png', 'image/png');
    await answered(page, 'Ankle boot');
    assert.equal(await page.getByRole('alert').count(), 0);
  } finally {
    await guarded.close();
  }
  await end();
});
