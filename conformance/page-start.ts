/** The page's side of the conformance run: gives jasmine's globals to the suite, and runs what a filter lets through. */
import type { SpecResult } from './run.ts';

interface Spec {
  readonly fullName: string;
  readonly status: string;
  readonly failedExpectations: readonly { readonly message: string }[];
}

interface Env {
  configure(options: { random: boolean; specFilter: (spec: { getFullName(): string }) => boolean }): void;
  addReporter(reporter: { specDone(spec: Spec): void }): void;
  execute(): Promise<unknown>;
}

interface Jasmine {
  getEnv(): Env;
}

// A classic script has put it there: jasmine-core looks for the page's window, which modules do not have as `this`.
const { jasmineRequire } = globalThis as unknown as {
  readonly jasmineRequire: {
    core(required: unknown): Jasmine;
    interface(jasmine: Jasmine, env: Env): object;
  };
};
const jasmine = jasmineRequire.core(jasmineRequire);
const env = jasmine.getEnv();
Object.assign(globalThis, jasmineRequire.interface(jasmine, env), { runSuite });

/** Runs the specs whose full name matches `pattern`. */
async function runSuite(pattern: string): Promise<readonly SpecResult[]> {
  const filter = new RegExp(pattern, 'i');
  const results: SpecResult[] = [];
  env.configure({ random: false, specFilter: (spec) => filter.test(spec.getFullName()) });
  env.addReporter({
    specDone({ fullName, status, failedExpectations }) {
      if (!filter.test(fullName)) return;
      const kind = status === 'passed' || status === 'failed' ? status : 'skipped';
      results.push({ name: fullName, status: kind, messages: failedExpectations.map(({ message }) => message) });
    },
  });
  await env.execute();
  return results;
}
