/**
 * The child process of the conformance run: declares the bundled suite, runs it with jasmine, and tells the parent.
 * It speaks after every spec, so that the parent knows where a crash or a hang happened.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** What the parent asks for, as JSON in the first argument. */
export interface Job {
  readonly bundle: string;
  /** Runs only specs whose full name matches this regular expression (case-insensitive). */
  readonly filter?: string;
  /** Goes on after this spec (by number in order of declaration): the one that ended the process before. */
  readonly after: number;
}

export type Message =
  | { readonly kind: 'start'; readonly number: number; readonly name: string }
  | { readonly kind: 'done'; readonly number: number; readonly result: SpecResult }
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'end' };

export interface SpecResult {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** One line per failed expectation. */
  readonly messages: readonly string[];
}

// jasmine has no types of its own; these are the parts in use.
interface Spec {
  readonly id: string;
  readonly fullName: string;
  readonly status: string;
  readonly failedExpectations: readonly { readonly message: string; readonly stack: string }[];
}
interface FilteredSpec {
  readonly id: string;
  getFullName(): string;
}
interface JasmineEnv {
  configure(options: { random: boolean; specFilter: (spec: FilteredSpec) => boolean }): void;
  addReporter(reporter: {
    specStarted(spec: Spec): void;
    specDone(spec: Spec): void;
    suiteDone(suite: Spec): void;
    jasmineDone(overall: Pick<Spec, 'failedExpectations'>): void;
  }): void;
  execute(): Promise<unknown>;
}

/** It expects a bundle of its own beside the suite's file and cannot hold in any other build of the suite. */
const NOT_IN_A_BUNDLE = /computation in worker/;

const job = JSON.parse(process.argv[2] ?? '') as Job;
const send = (message: Message) => void process.send?.(message);
const numberOf = (id: string) => Number(id.replace('spec', ''));

const require = createRequire(import.meta.url);
const Jasmine = require('jasmine') as new () => { readonly env: JasmineEnv };
const { env } = new Jasmine();
await import(pathToFileURL(job.bundle).href);

const filter = job.filter === undefined ? undefined : new RegExp(job.filter, 'i');
env.configure({
  random: false,
  specFilter: (spec) => {
    const name = spec.getFullName();
    return numberOf(spec.id) > job.after && !NOT_IN_A_BUNDLE.test(name) && (filter?.test(name) ?? true);
  },
});
env.addReporter({
  specStarted: (spec) => send({ kind: 'start', number: numberOf(spec.id), name: spec.fullName }),
  specDone: (spec) => {
    const number = numberOf(spec.id);
    const left = number <= job.after || (filter !== undefined && !filter.test(spec.fullName));
    if (left) return;
    const status = spec.status === 'passed' || spec.status === 'failed' ? spec.status : 'skipped';
    const messages = spec.failedExpectations.map(({ message, stack }) => `${message} ${placeIn(stack)}`.trim());
    send({ kind: 'done', number, result: { name: spec.fullName, status, messages } });
  },
  suiteDone: (suite) => {
    for (const { message } of suite.failedExpectations)
      send({ kind: 'error', message: `${suite.fullName}: ${message}` });
  },
  jasmineDone: ({ failedExpectations }) => {
    for (const { message } of failedExpectations) send({ kind: 'error', message });
  },
});
await env.execute();
// An exit of its own: a backend's threads must not keep the process, once all is said.
process.send?.({ kind: 'end' } satisfies Message, () => process.exit(0));

/** The first function of the stack that is neither jasmine's nor the suite's matchers'. */
function placeIn(stack: string | undefined): string {
  const line = stack
    ?.split('\n')
    .find((text) => /^\s+at /.test(text) && !/jasmine-core|expectArrays|UserContext|node:internal/.test(text));
  const name = line?.match(/at (?:async )?([\w.$<>[\] ]+?) \(/)?.[1];
  return name === undefined ? '' : `(in ${name})`;
}
