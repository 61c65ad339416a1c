/** A line at the bottom of the terminal that is redrawn in place, under lines that stay.
 *  Each redraw is one write without clearing first, at most ten times a second, so that nothing flickers. */

/** The part of a terminal's stream that is needed. */
export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface LiveLineOptions {
  /** Milliseconds between redraws. Default 100 on a terminal, 5000 elsewhere. */
  readonly every?: number;
  /** The clock, in milliseconds. */
  readonly now?: () => number;
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const clearToEnd = '\x1b[K';

export class LiveLine {
  readonly isTerminal: boolean;
  private readonly screen: Screen;
  private readonly every: number;
  private readonly now: () => number;
  private drawnAt = Number.NEGATIVE_INFINITY;
  /** What stands on the bottom line. */
  private shown = '';

  constructor(screen: Screen, options: LiveLineOptions = {}) {
    this.screen = screen;
    this.isTerminal = screen.isTTY === true && process.env.TERM !== 'dumb';
    this.every = options.every ?? (this.isTerminal ? 100 : 5000);
    this.now = options.now ?? (() => performance.now());
  }

  /** Columns for a line; one is left free so that no terminal wraps. */
  get width(): number {
    return Math.max(20, (this.screen.columns ?? 80) - 1);
  }

  /** Draws unless that was done a moment ago. `render` is called only if its line will be shown. */
  update(render: () => string): void {
    const now = this.now();
    if (now - this.drawnAt < this.every) return;
    this.drawnAt = now;
    this.draw(render());
  }

  /** Draws now. */
  draw(line: string): void {
    if (!this.isTerminal) {
      this.screen.write(`${line}\n`);
      return;
    }
    if (line === this.shown) return;
    this.screen.write(`${this.shown === '' ? hideCursor : ''}\r${line}${clearToEnd}`);
    this.shown = line;
  }

  /** Writes a line that stays, above the live one. */
  print(line: string): void {
    if (this.shown === '') {
      this.screen.write(`${line}\n`);
      return;
    }
    this.screen.write(`\r${line}${clearToEnd}\n${this.shown}`);
  }

  /** Takes the live line away and gives the cursor back. May be called again. */
  clear(): void {
    if (this.shown === '') return;
    this.screen.write(`\r${clearToEnd}${showCursor}`);
    this.shown = '';
  }
}
