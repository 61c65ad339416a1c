/**
 * `npm run test:conformance`: TensorFlow.js's own test suite on stock cpu and on `jit`, in one run.
 * Fails on every spec that passes on cpu, does not on `jit`, and is not listed in `exceptions.json` with its reason.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BACKENDS, type BackendName, bundleSuite } from './bundle.ts';
import { type Exception, judge, neutralName, tally } from './compare.ts';
import type { Job, Message, SpecResult } from './run.ts';

const HELP = `npm run test:conformance -- [options]

  --filter REGEX    only specs whose full name matches, e.g. --filter '^conv2d'
  --backend NAME    only this backend (${BACKENDS.join(', ')}); without cpu nothing is compared
  --compiled        compile every program at once instead of running small new ones on the cpu kernels
                    (the same as JIT_COMPILE=always)
  --verbose         whole messages of failing specs instead of their first lines
  --limit N         print at most N failing specs (default 200)

Exit code 1 if a spec passes on cpu, does not on jit, and is not in conformance/exceptions.json.`;

/** A spec that says nothing for so long hangs; jasmine's own limit is 20 s. */
const SILENCE_MS = 90_000;
/** A backend that ends the process more often than this is not worth restarting. */
const MAX_RESTARTS = 25;

interface Outcome {
  readonly results: readonly SpecResult[];
  /** Faults outside of any spec. */
  readonly errors: readonly string[];
  readonly seconds: number;
}

/** Runs the suite on one backend in child processes, going on after a spec that crashes or hangs. */
async function runSuite(backend: BackendName, filter: string | undefined, env: NodeJS.ProcessEnv): Promise<Outcome> {
  const started = performance.now();
  const bundle = join(import.meta.dirname, '..', '.cache', 'conformance', `${backend}.mjs`);
  await bundleSuite(backend, bundle);
  const results: SpecResult[] = [];
  const errors: string[] = [];
  let after = -1;
  for (let restarts = 0; ; restarts++) {
    const end = await runOnce({ bundle, after, ...(filter === undefined ? {} : { filter }) }, env, results, errors);
    if (end.complete) break;
    if (end.running === undefined || restarts === MAX_RESTARTS) {
      errors.push(`the process ended ${end.running ? 'too often' : 'outside of a spec'}: ${end.cause}`);
      break;
    }
    results.push({ name: end.running.name, status: 'failed', messages: [`ended the process: ${end.cause}`] });
    after = end.running.number;
  }
  return { results, errors, seconds: (performance.now() - started) / 1000 };
}

interface End {
  readonly complete: boolean;
  readonly cause: string;
  readonly running: { readonly number: number; readonly name: string } | undefined;
}

function runOnce(job: Job, env: NodeJS.ProcessEnv, results: SpecResult[], errors: string[]): Promise<End> {
  return new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, 'run.ts'), [JSON.stringify(job)], {
      env,
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let running: End['running'];
    let complete = false;
    let cause = '';
    let stderr = '';
    const hang = () => {
      cause = `no sign of life for ${SILENCE_MS / 1000} s`;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(hang, SILENCE_MS);
    child.stderr?.on('data', (data) => {
      stderr = `${stderr}${data}`.slice(-4000);
    });
    child.on('message', (message: Message) => {
      clearTimeout(timer);
      timer = setTimeout(hang, SILENCE_MS);
      if (message.kind === 'start') running = message;
      else if (message.kind === 'done') {
        running = undefined;
        results.push(message.result);
      } else if (message.kind === 'error') errors.push(message.message);
      else complete = true;
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      cause ||= `${signal ?? `exit code ${code}`} ${stderr.trim().split('\n').slice(-8).join(' | ')}`;
      resolve({ complete, cause, running });
    });
  });
}

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
    const outcome = await runSuite(backend, values.filter, env);
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
