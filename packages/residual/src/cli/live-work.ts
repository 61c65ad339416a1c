/** Work that shows how far it is on a live line, and that Ctrl-C ends: what `doctor`, `evaluate`, `export` and `verify` set
 *  up alike. */

import { catchInterrupt, interruptedCode } from './interrupt.ts';
import { LiveLine } from './live-line.ts';

/** @param width columns that there are for it */
type Render = (width: number) => string;

export interface Live {
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Shows a line on a terminal, in place of the one before. `render` is called only if it will be seen. */
  show(render: Render): void;
  /** The same, and elsewhere than on a terminal a line now and then: for work that takes minutes. */
  report(render: Render): void;
  /** Takes the line away, before the result is printed. */
  clear(): void;
}

/**
 * Runs the work and gives its exit code: `interruptedCode` where a signal ended it. The line is gone before `afterwards`,
 * which lets go of what the work used, however it ended.
 *
 * @param values with `quiet`, nothing is shown
 */
export async function liveWork(
  values: { readonly quiet?: boolean | undefined },
  work: (live: Live) => Promise<number>,
  afterwards: () => void | Promise<void>,
): Promise<number> {
  const line = new LiveLine(process.stderr);
  const clear = () => line.clear();
  const { signal, release } = catchInterrupt(clear, clear);
  const report = (render: Render) => {
    if (values.quiet !== true) line.update(() => render(line.width));
  };
  const show = (render: Render) => {
    if (line.isTerminal) report(render);
  };
  try {
    return await work({ signal, show, report, clear });
  } catch (error) {
    if (signal.aborted && error === signal.reason) return interruptedCode;
    throw error;
  } finally {
    clear();
    release();
    await afterwards();
  }
}
