// The example does what it says: the page learns, with threads and without, and shows what it learned.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findChromium, NO_BROWSER } from '../../tools/browser/find.ts';
import { launch } from '../../tools/browser/open.ts';
import { serve } from '../../tools/browser/serve.ts';
import { filesOfExample } from './serve.ts';
import type { Outcome } from './train.ts';

test('the page learns to tell shapes', { skip: findChromium() === undefined && NO_BROWSER }, async () => {
  const [browser, files] = await Promise.all([launch(), filesOfExample()]);
  try {
    const outcomes: Outcome[] = [];
    for (const isolated of [true, false]) {
      const site = await serve(files, isolated);
      try {
        const page = await browser.newPage({ viewport: { width: 800, height: 900 } });
        await page.goto(site.origin);
        await page.waitForFunction('globalThis.learn !== undefined');
        if (isolated) {
          outcomes.push((await page.evaluate('learn(10)')) as Outcome);
          assert.match(await page.innerText('#status'), /^\d+\.\d % of 60 pictures that it never saw are right$/);
          assert.equal(await page.locator('#pictures figure').count(), 60);
          if (process.env.SCREENSHOT !== undefined) await page.screenshot({ path: process.env.SCREENSHOT });
        } else outcomes.push((await page.evaluate('learn(1)')) as Outcome);
        await page.close();
      } finally {
        await site.close();
      }
    }
    const [isolated, alone] = outcomes;
    assert.ok(isolated.accuracy >= 0.9, `${isolated.accuracy}`);
    assert.ok(isolated.losses.every(Number.isFinite));
    // The learning rate's plan differs after the warm-up; the very first loss does not depend on threads.
    assert.equal(isolated.losses[0], alone.losses[0]);
  } finally {
    await browser.close();
  }
});
