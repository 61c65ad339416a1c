/** The backend in a page of headless Chromium: right, fast where it may share memory, and alive where it may not. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { bundleForPage } from '../../../../tools/browser/bundle.ts';
import { findChromium, NO_BROWSER } from '../../../../tools/browser/find.ts';
import { launch, type OpenOptions, openPage } from '../../../../tools/browser/open.ts';
import type { tests } from './testing/page.ts';
import type { RunRequest, RunResult } from './testing/resnet-run.ts';

type Tests = typeof tests;
type Name = keyof Tests;

const TESTING = join(import.meta.dirname, 'testing');

suite('in a page', { skip: findChromium() === undefined && NO_BROWSER }, () => {
  let browser: Browser;
  let code: string;

  before(async () => {
    const alias = { 'node:assert/strict': join(TESTING, 'assert-in-page.ts') };
    [browser, { code }] = await Promise.all([
      launch(),
      // Minified, as pages are: the workers start from their function's own source text.
      bundleForPage("import './page.ts';", TESTING, { alias, minify: true }),
    ]);
  });
  after(() => browser.close());

  /** Runs one of the page's tests in a fresh page. */
  async function run<N extends Name>(name: N, args: Parameters<Tests[N]>, options: OpenOptions = {}) {
    const { page, said, close } = await openPage(browser, code, options);
    try {
      const call = `globalThis.tests[${JSON.stringify(name)}](...${JSON.stringify(args)})`;
      return { result: (await page.evaluate(call)) as Awaited<ReturnType<Tests[N]>>, said };
    } catch (error) {
      throw new Error(`${error}\n${said.join('\n')}`);
    } finally {
      await close();
    }
  }

  test('an isolated page has threads, 128-bit kernels and nothing to warn of', async () => {
    const { result, said } = await run('facts', []);
    const { hardwareConcurrency } = navigator;
    assert.deepEqual(result, { threads: Math.min(16, hardwareConcurrency), shared: true, wide: false, relaxed: true });
    assert.deepEqual(said, []);
  });

  test('a page that is not isolated has one thread and names the headers, once', async () => {
    const { result, said } = await run('twice', [], { isolated: false });
    assert.deepEqual(result, { threads: 1, shared: false, wide: false, relaxed: true });
    assert.equal(said.length, 1, said.join('\n'));
    assert.match(said[0], /one thread.*Cross-Origin-Opener-Policy: same-origin.*Cross-Origin-Embedder-Policy: require/);
  });

  for (const [where, isolated] of [
    ['isolated', true],
    ['not isolated', false],
  ] as const) {
    test(`operations and gradients are as on cpu (${where})`, async () => {
      const { result } = await run('parity', [isolated ? 2 : 9], { isolated });
      assert.deepEqual(result.failures, []);
      assert.ok(result.count > (isolated ? 300 : 80), `${result.count} cases`);
    });

    test(`dataSync gives the values (${where})`, async () => {
      const { result } = await run('sync', [], { isolated });
      assert.deepEqual(result, { first: [7, 10, 15, 22], second: [2, 3, 4, 5], length: 360_000, count: 200 });
    });

    test(`while data() waits the page is alive (${where})`, async () => {
      const { result } = await run('responsive', [isolated ? 60 : 30], { isolated });
      assert.ok(Number.isFinite(result.value));
      assert.ok(result.milliseconds > 100, 'the program is long enough to tell');
      assert.ok(result.ticks > 5, JSON.stringify(result));
      assert.ok(result.longest < result.milliseconds / 2, JSON.stringify(result));
    });

    test(`memory that does not suffice is an error, and all goes on (${where})`, async () => {
      const { result } = await run('memory', [], { isolated });
      assert.match(
        String(result.large),
        /^out of memory: this step needs 29.* GiB and the Wasm memory ends at 4.00 GiB/,
      );
      assert.equal(result.small, 0);
    });

    test(`whoever waits for a backend that goes gets an error (${where})`, async () => {
      const { result } = await run('dispose', [], { isolated });
      assert.match(result.waiting, /the backend was disposed of/);
    });
  }

  const MODEL = { classes: 10, activation: 'linear', seed: 3 } as const;
  const REQUESTS: Readonly<Record<string, RunRequest>> = {
    'imagenet stem, narrow': {
      model: { ...MODEL, inputShape: [48, 48, 3], stem: 'imagenet', width: 16 },
      batch: 3,
      steps: 3,
    },
    'cifar stem, full width': {
      model: { ...MODEL, inputShape: [32, 32, 3], stem: 'cifar' },
      batch: 4,
      steps: 2,
    },
  };

  for (const [name, request] of Object.entries(REQUESTS)) {
    test(`ResNet18 learns as in Node, bit for bit, on 1 and 2 threads, isolated or not: ${name}`, async () => {
      const node = await resnetInNode(request);
      const where: readonly OpenOptions[] = [
        { settings: { JIT_THREADS: '1' } },
        { settings: { JIT_THREADS: '2' } },
        { isolated: false },
      ];
      for (const options of where) {
        const { result } = await run('resnetRun', [request], options);
        assert.equal(result.shared, options.isolated ?? true);
        assert.equal(result.threads, Number(options.settings?.JIT_THREADS ?? 1));
        if (result.relaxed === node.relaxed) assert.deepEqual(result.losses, node.losses);
        if (result.relaxed === node.relaxed) assert.equal(result.hash, node.hash);
        assertNear(result, node);
      }
    });
  }

  test('without relaxed SIMD and Atomics.waitAsync, as in some browsers, it learns the same', async () => {
    const request = REQUESTS['imagenet stem, narrow'];
    const node = await resnetInNode(request, { JIT_RELAXED: '0' });
    const options = { settings: { JIT_RELAXED: '0', JIT_THREADS: '2' }, before: 'Atomics.waitAsync = undefined;' };
    const { result } = await run('resnetRun', [request], options);
    assert.equal(result.relaxed, false);
    assert.equal(result.hash, node.hash);
  });

  test('a browser that reserves less memory gets less, and a page without workers one thread', async () => {
    const small = `const { Memory } = WebAssembly;
      WebAssembly.Memory = function (type) {
        if (type.maximum > 20000) throw new RangeError('too much');
        return new Memory(type);
      };`;
    const { result } = await run('facts', [], { before: small });
    assert.equal(result.shared, true);
    const blocked = await run('facts', [], { before: 'Worker = function () { throw new Error("blocked"); };' });
    assert.deepEqual([blocked.result.threads, blocked.result.shared], [1, false]);
    assert.match(blocked.said.join(), /workers do not start \(.*blocked.*\).*worker-src/);
  });
});

async function resnetInNode(request: RunRequest, env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(TESTING, 'resnet-run.ts'), JSON.stringify(request)],
    { env: { ...process.env, JIT_REVEC: '0', ...env }, maxBuffer: 2 ** 26 },
  );
  return JSON.parse(stdout) as RunResult;
}

/** To 1e-3 of the largest. */
function assertNear(actual: RunResult, expected: RunResult): void {
  actual.losses.forEach((loss, i) => {
    assert.ok(Math.abs(loss - expected.losses[i]) < 1e-3 * Math.abs(expected.losses[i]), `loss ${i}`);
  });
  const largest = Math.max(...expected.sample.map(Math.abs));
  actual.sample.forEach((value, i) => {
    assert.ok(Math.abs(value - expected.sample[i]) <= 1e-3 * largest, `weight ${i}: ${value}, ${expected.sample[i]}`);
  });
}
