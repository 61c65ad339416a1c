/** Finds weights for a command and, while they are downloaded, shows how far that is. Ctrl-C stops it, and what has
 *  arrived is kept for the next time. */

import { bytes, clock } from '../evaluate/report-format.ts';
import type { DownloadProgress } from '../weights/node/download.ts';
import { type ResolvedWeights, resolveWeights } from '../weights/node/resolve.ts';
import { catchInterrupt } from './interrupt.ts';
import { LiveLine } from './live-line.ts';
import { drawBar } from './progress.ts';
import { columns, type Style, styleOf } from './style.ts';
import { shorten } from './table.ts';

/**
 * `resolveWeights` with a progress line on standard error.
 *
 * @param again the command that goes on after an interruption, which is told the user
 * @returns undefined where the user interrupted it
 * @throws WeightsError
 */
export async function findWithProgress(given: string, again: string): Promise<ResolvedWeights | undefined> {
  const style = styleOf(process.stderr);
  const line = new LiveLine(process.stderr);
  const pace = new Pace();
  let last: DownloadProgress | undefined;
  const interrupt = catchInterrupt(
    () => {},
    () => line.clear(),
  );
  try {
    return await resolveWeights(given, {
      signal: interrupt.signal,
      onProgress(progress) {
        last = progress;
        const rate = pace.at(progress.received, performance.now() / 1000);
        if (progress.retrying !== undefined) line.print(style.yellow(`${progress.retrying}; trying again`));
        else line.update(() => downloadLine(given, progress, rate, line.width, style));
      },
    });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    line.clear();
    const kept = last === undefined ? 'nothing was downloaded' : `${bytes(last.received)} are kept`;
    process.stderr.write(`stopped: ${kept}; go on with: ${again}\n`);
    return undefined;
  } finally {
    line.clear();
    interrupt.release();
  }
}

/** Bytes per second over the last few seconds. */
export class Pace {
  private readonly marks: { readonly received: number; readonly seconds: number }[] = [];

  at(received: number, seconds: number): number {
    const { marks } = this;
    if (received < (marks.at(-1)?.received ?? 0)) marks.length = 0; // begun anew
    if (marks.length === 0 || seconds - (marks.at(-1)?.seconds ?? 0) >= 0.1) marks.push({ received, seconds });
    while (marks.length > 2 && seconds - (marks[0]?.seconds ?? 0) > 5) marks.shift();
    const [first] = marks;
    return first === undefined || seconds - first.seconds < 0.2
      ? 0
      : (received - first.received) / (seconds - first.seconds);
  }
}

/** One line of at most `width` columns: what, a bar, how much, how fast, how long still. */
export function downloadLine(
  name: string,
  { received, total }: DownloadProgress,
  rate: number,
  width: number,
  style: Style,
): string {
  const size =
    total === undefined ? bytes(received) : `${bytes(received).padStart(bytes(total).length)} of ${bytes(total)}`;
  const parts = [
    size,
    ...(rate > 0 ? [style.dim(`${bytes(rate)}/s`)] : []),
    ...(rate > 0 && total !== undefined ? [`${clock((total - received) / rate)} left`] : []),
  ];
  for (;;) {
    const text = parts.join('  ');
    const room = width - columns(text) - 2;
    const shown = shorten(name, 32);
    const bar = total === undefined ? 0 : Math.min(30, room - columns(shown) - 2);
    if (bar >= 8) return [style.bold(shown), drawBar(received / (total ?? 1), bar, style), text].join('  ');
    if (room >= columns(shown)) return [style.bold(shown), text].join('  ');
    if (parts.length === 1) return shorten(`${shown} ${size}`, width);
    parts.pop();
  }
}
