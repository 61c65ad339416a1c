/**
 * Runs a bundled suite to its end in child processes, whatever its specs do: a spec that ends the process or hangs has
 * failed, and a new process goes on after it.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Job, Message, SpecResult } from './run.ts';

/** A spec that says nothing for so long hangs; jasmine's own limit is 20 s. */
const SILENCE_MS = 90_000;
/** A backend that ends the process more often than this is not worth restarting. */
const MAX_RESTARTS = 25;

export interface Outcome {
  readonly results: readonly SpecResult[];
  /** Faults outside of any spec. */
  readonly errors: readonly string[];
  readonly seconds: number;
}

export interface RunOptions {
  /** Runs only specs whose full name matches this regular expression. */
  readonly filter?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** Default 90,000. */
  readonly silenceMs?: number;
}

/** Runs every spec of the ES module `bundle`, in order of declaration. */
export async function runBundle(bundle: string, options: RunOptions = {}): Promise<Outcome> {
  const { filter, env = process.env, silenceMs = SILENCE_MS } = options;
  const started = performance.now();
  const results: SpecResult[] = [];
  const errors: string[] = [];
  let after = -1;
  for (let restarts = 0; ; restarts++) {
    const job = { bundle, after, ...(filter === undefined ? {} : { filter }) };
    const end = await runOnce(job, env, silenceMs, results, errors);
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

function runOnce(
  job: Job,
  env: NodeJS.ProcessEnv,
  silenceMs: number,
  results: SpecResult[],
  errors: string[],
): Promise<End> {
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
      cause = `no sign of life for ${silenceMs / 1000} s`;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(hang, silenceMs);
    child.stderr?.on('data', (data) => {
      stderr = `${stderr}${data}`.slice(-4000);
    });
    child.on('message', (message: Message) => {
      clearTimeout(timer);
      timer = setTimeout(hang, silenceMs);
      if (message.kind === 'start') running = message;
      else if (message.kind === 'done') {
        running = undefined;
        results.push(message.result);
      } else if (message.kind === 'error') errors.push(message.message);
      else complete = true;
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      cause ||= `${signal ?? `exit code ${code}`} ${stderr.trim().split('\n').slice(-8).join(' | ')}`.trim();
      resolve({ complete, cause, running });
    });
  });
}
