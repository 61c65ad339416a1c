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
