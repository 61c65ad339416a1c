/** Ctrl-C: the first asks the work to finish its step and save, the second ends the process at once.
 *  SIGTERM is treated the same, as it is how schedulers ask a process to go. */

/** The exit code of an interrupted run, as shells count it: 128 + SIGINT. */
export const interruptedCode = 130;

export interface Interrupt {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Gives the signals back their usual meaning. */
  release(): void;
}

/**
 * @param first called at the first signal, to tell the user what happens now
 * @param second called before the process ends at the second one, to leave the terminal tidy
 */
export function catchInterrupt(first: () => void, second: () => void): Interrupt {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) {
      second();
      process.exit(interruptedCode);
    }
    first();
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    release() {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

/**
 * Runs work that shows its progress on `line`, and gives its exit code: `interruptedCode` where a signal ended it. The line
 * is gone before `afterwards`, which lets go of what the work used, however it ended.
 *
 * @param work gets the signal that the first Ctrl-C aborts
 */
export async function interruptible(
  line: { clear(): void },
  work: (signal: AbortSignal) => Promise<number>,
  afterwards: () => void | Promise<void>,
): Promise<number> {
  const clear = () => line.clear();
  const { signal, release } = catchInterrupt(clear, clear);
  try {
    return await work(signal);
  } catch (error) {
    if (signal.aborted && error === signal.reason) return interruptedCode;
    throw error;
  } finally {
    clear();
    release();
    await afterwards();
  }
}
