// A sample of TF.js's own suite in a page: what `jit` passes in Node, it passes in Chromium.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findChromium, NO_BROWSER } from '../tools/browser/find.ts';
import { launch, openPage } from '../tools/browser/open.ts';
import { bundleSuite } from './bundle.ts';
import { type Exception, neutralName } from './compare.ts';
import type { SpecResult } from './run.ts';

const JASMINE = join(import.meta.dirname, '..', 'node_modules', 'jasmine-core', 'lib', 'jasmine-core', 'jasmine.js');

/** Kernels that networks are made of, and what is not a kernel: tidy, tensors, gradients, variables, optimizers. */
const SAMPLE =
  '^(conv|depthwise|matmul|softmax|max|avgpool|batch|sum|mean|add|mul|relu|slice|concat|gather|pad|tensor|tidy|grad|variable|.*optimizer)';

for (const isolated of [true, false]) {
  const where = isolated ? 'a page with threads' : 'a page without threads';
  test(`a sample of the suite passes in ${where}`, { skip: findChromium() === undefined && NO_BROWSER }, async () => {
    const bundle = join(import.meta.dirname, '..', '.cache', 'conformance', `jit-page-${isolated}.mjs`);
    await bundleSuite('jit', bundle, { page: true, first: './page-start.ts' });
    const browser = await launch();
    try {
      const { page, close } = await openPage(browser, readFileSync(bundle, 'utf8'), {
        isolated,
        files: { '/jasmine.js': readFileSync(JASMINE, 'utf8') },
        before: `document.write('<script src="/jasmine.js"></' + 'script>');`,
      });
      const results = (await page.evaluate(`runSuite(${JSON.stringify(SAMPLE)})`)) as readonly SpecResult[];
      await close();
      const exceptions = JSON.parse(
        readFileSync(join(import.meta.dirname, 'exceptions.json'), 'utf8'),
      ) as readonly Exception[];
      const listed = new Set(exceptions.map(({ spec }) => spec));
      const failed = results.filter(({ name, status }) => status === 'failed' && !listed.has(neutralName(name, 'jit')));
      assert.deepEqual(failed, []);
      const passed = results.filter(({ status }) => status === 'passed').length;
      assert.ok(passed > 1000, `${passed} specs passed`);
    } finally {
      await browser.close();
    }
  });
}
