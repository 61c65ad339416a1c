/** Ends a synchronous call that does not end by itself: HDF5 follows some damaged structures in circles.
 *  In a page nothing can; there the browser asks its user about a page that does not answer. */

import type { Context, Script } from 'node:vm';

/** Of processor time. A call reads a few MB at most. */
const ENOUGH = 300_000;
/** Of wall-clock time, in milliseconds, to begin with: a busy machine may give less processor time than that. */
const FIRST = 300;

/** The call was ended; whatever it called is in an unknown state. */
export class EndedCall extends Error {
  /** It had time enough: a longer one would not help. */
  readonly hopeless: boolean;

  constructor(hopeless: boolean) {
    super(hopeless ? 'does not come to an end' : 'was given too little time');
    this.hopeless = hopeless;
  }
}

/** Then it is given up, however little it got: seconds have passed. */
const MOST_TRIES = 4;

let runner: { readonly script: Script; readonly context: Context } | null | undefined;

/**
 * Calls `work`; `tries` counts calls of the same work that ended for want of time.
 *
 * @throws EndedCall where it took too long, or what `work` throws
 */
export function watched<T>(work: () => T, tries: number): T {
  runner ??= createRunner();
  if (!runner) return work();
  const { script, context } = runner;
  const before = process.threadCpuUsage();
  let result: T | undefined;
  context.work = () => {
    result = work();
  };
  try {
    script.runInContext(context, { timeout: FIRST * 2 ** tries });
    return result as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    const { user, system } = process.threadCpuUsage(before);
    throw new EndedCall(user + system >= ENOUGH || tries >= MOST_TRIES);
  } finally {
    context.work = undefined;
  }
}

/** `vm` ends what runs inside it, WebAssembly too, whatever context the function came from. */
function createRunner() {
  const vm = globalThis.process?.getBuiltinModule?.('node:vm');
  return vm ? { script: new vm.Script('work()'), context: vm.createContext(Object.create(null)) } : null;
}
