/** The bench's result as one object for machines and as one table for people. */
import { describeWork, type Work } from './work.ts';

/** One line of the result, before it is compared. */
export interface Line {
  readonly name: string;
  readonly version: string;
  readonly imagesPerSecond: number;
  readonly peakBytes: number;
  /** What was done differently for this peer. */
  readonly note?: string;
}

/** What `--json` prints. */
export interface Report {
  readonly work: string;
  readonly threads: number;
  readonly ours: { readonly imagesPerSecond: number; readonly peakBytes: number };
  readonly peers: readonly {
    readonly name: string;
    readonly imagesPerSecond: number;
    readonly peakBytes: number;
    /** Ours over the peer's: above 1 we are faster. */
    readonly ratio: number;
  }[];
}

export function reportOf(work: Work, ours: Line, peers: readonly Line[]): Report {
  return {
    work: describeWork(work),
    threads: work.threads,
    ours: { imagesPerSecond: ours.imagesPerSecond, peakBytes: ours.peakBytes },
    peers: peers.map(({ name, imagesPerSecond, peakBytes }) => ({
      name,
      imagesPerSecond,
      peakBytes,
      ratio: ours.imagesPerSecond / imagesPerSecond,
    })),
  };
}

/** Columns: who, median images/s, ours over it, peak resident memory, notes. */
export function tableOf(work: Work, rounds: number, ours: Line, peers: readonly Line[]): string {
  const rows = [ours, ...peers].map((line) => [
    `${line.name} ${line.version}`,
    rate(line.imagesPerSecond),
    line === ours ? '' : `${(ours.imagesPerSecond / line.imagesPerSecond).toFixed(2)}×`,
    `${(line.peakBytes / 2 ** 20).toFixed(0)} MiB`,
    line.note ?? '',
  ]);
  const head = ['', 'images/s', 'ours/peer', 'peak memory', ''];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === 0 || i === 4 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('   ')
      .trimEnd();
  const threads = `${work.threads} thread${work.threads === 1 ? '' : 's'}`;
  const title = `${describeWork(work)}, ${threads}; medians of ${rounds} round${rounds === 1 ? '' : 's'}`;
  return [title, '', lineOf(head), ...rows.map(lineOf)].join('\n');
}

function rate(imagesPerSecond: number): string {
  return imagesPerSecond.toFixed(imagesPerSecond < 0.1 ? 4 : imagesPerSecond < 10 ? 2 : 1);
}
