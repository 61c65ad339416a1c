/**
 * `npm run test:conformance`: TensorFlow.js's own test suite on stock cpu and on `jit`, in one run.
 * Fails on every spec that passes on cpu, does not on `jit`, and is not listed in `exceptions.json` with its reason.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BACKENDS, type BackendName, bundleSuite } from './bundle.ts';
import { type Exception, judge, neutralName, tally } from './compare.ts';
import { type Outcome, runBundle } from './suite.ts';

const HELP = `npm run test:conformance -- [options]

  --filter REGEX    only specs whose full name matches, e.g. --filter '^conv2d'
  --backend NAME    only this backend (${BACKENDS.join(', ')}); without cpu nothing is compared
  --compiled        compile every program at once instead of running small new ones step by step
                    (the same as JIT_COMPILE=always)
  --verbose         whole messages of failing specs instead of their first lines
  --limit N         print at most N failing specs (default 200)

Exit code 1 if a spec passes on cpu, does not on jit, and is not in conformance/exceptions.json.`;

/** One line per message, cut to a width that fits a terminal unless all is asked for. */
function brief(messages: readonly string[], verbose: boolean): string {
  if (verbose) return messages.map((message) => `      ${message.replaceAll('\n', '\n      ')}\n`).join('');
  const [first = 'no message'] = messages;
  const line = first.replaceAll(/\s+/g, ' ').slice(0, 220);
  return `      ${line}${messages.length > 1 ? ` (+${messages.length - 1})` : ''}\n`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string' },
      backend: { type: 'string' },
      compiled: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      limit: { type: 'string', default: '200' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const only = BACKENDS.find((name) => name === values.backend);
  if (values.backend !== undefined && only === undefined) {
    console.error(`--backend: no backend '${values.backend}'; choose one of ${BACKENDS.join(', ')}`);
    return 2;
  }
  const backends = only === undefined ? BACKENDS : [only];
  const env = { ...process.env, ...(values.compiled ? { JIT_COMPILE: 'always' } : {}) };
  const limit = Number(values.limit);

  const outcomes = new Map<BackendName, Outcome>();
  for (const backend of backends) {
    const bundle = join(import.meta.dirname, '..', '.cache', 'conformance', `${backend}.mjs`);
    await bundleSuite(backend, bundle);
    const outcome = await runBundle(bundle, { filter: values.filter, env });
    outcomes.set(backend, outcome);
    const { passed, failed, skipped } = tally(outcome.results);
    console.log(`${backend}: ${passed} passed, ${failed} failed, ${skipped} skipped (${outcome.seconds.toFixed(1)} s)`);
    for (const [error, { length }] of Map.groupBy(outcome.errors, (text) => text))
      console.log(`  error: ${error}${length > 1 ? ` (${length} times)` : ''}`);
  }

  const cpu = outcomes.get('cpu');
  const jit = outcomes.get('jit');
  let faults = [...outcomes.values()].reduce((sum, { errors }) => sum + errors.length, 0);
  if (cpu === undefined || jit === undefined) {
    for (const [backend, { results }] of outcomes) {
      const failed = results.filter(({ status }) => status === 'failed');
      faults += failed.length;
      for (const { name, messages } of failed.slice(0, limit))
        process.stdout.write(`  ✗ ${neutralName(name, backend)}\n${brief(messages, values.verbose)}`);
    }
  } else {
    const file = join(import.meta.dirname, 'exceptions.json');
    const exceptions = JSON.parse(readFileSync(file, 'utf8')) as readonly Exception[];
    const { broken, excused, stale } = judge(cpu.results, jit.results, 'jit', exceptions, values.filter !== undefined);
    for (const { name, messages } of broken.slice(0, limit))
      process.stdout.write(`  ✗ ${name}\n${brief(messages, values.verbose)}`);
    if (broken.length > limit) console.log(`  … and ${broken.length - limit} more`);
    for (const { spec } of stale) console.log(`  listed in exceptions.json, but passes or does not exist: ${spec}`);
    console.log(
      `${broken.length} specs pass on cpu and not on jit; ${excused.length} more are listed in exceptions.json`,
    );
    faults += broken.length + stale.length;
  }
  return faults === 0 ? 0 : 1;
}

process.exitCode = await main();
