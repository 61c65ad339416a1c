/** Watches the losses of steps for training that does not converge: not finite, exploding, or stuck at chance.
 *  Pure, and its memory is plain data, so that a resumed run sees what one that was never stopped would see. */

/** Steps that the running medians look back on; a state is trusted when it has lived through as many. */
export const WINDOW = 50;
/** The newest losses, whose median is compared with that of those before: one bad batch is no explosion. */
const RECENT = 5;
/** An explosion is that many times the usual loss, and more than chance above it. */
const FACTOR = 4;
/** A single loss so far above the usual one needs no further steps to be believed. */
const AT_ONCE = 100;

/** What a network that has learned nothing does. */
export interface Chance {
  /** Share of the largest class: the accuracy of always naming it. */
  readonly accuracy: number;
  /** Entropy of the classes' shares in nats: the loss of always giving the shares. */
  readonly loss: number;
}

/** One step as the watch remembers it. */
type Seen = readonly [loss: number, correct: number, images: number];

export interface WatchState {
  readonly seen: readonly Seen[];
  /** The step before which the network's activations are to be looked at. */
  readonly probeBefore?: number;
  /** The last step that was followed by such a look. */
  readonly probed?: number;
}

export function chanceOf(labels: Int32Array, classes: number): Chance {
  const counts = new Float64Array(classes);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  const shares = Array.from(counts, (n) => n / labels.length).filter((share) => share > 0);
  return { accuracy: Math.max(...shares), loss: -shares.reduce((sum, p) => sum + p * Math.log(p), 0) };
}

export class LossWatch {
  private readonly chance: Chance;
  private current: WatchState = { seen: [] };

  constructor(chance: Chance) {
    this.chance = chance;
  }

  get state(): WatchState {
    return this.current;
  }

  set state(state: WatchState) {
    this.current = state;
  }

  /**
   * Takes a step's outcome.
   *
   * - Not finite: diverged.
   * - The median of the last 5 losses above 4 times the median of up to 50 before them, and by more than the loss of
   *   chance: exploding. A single loss above 100 times (usual + chance) is believed at once.
   * - 50 steps at the accuracy and loss of chance: suspect; `probeBefore` asks for a look at the activations.
   *
   * @returns What is wrong; undefined where nothing is.
   */
  see(step: number, loss: number, correct: number, images: number): string | undefined {
    if (!Number.isFinite(loss)) return `the loss is ${loss} at step ${step}`;
    const { chance } = this;
    const losses = this.current.seen.map(([value]) => value);
    const exploding = (value: number, usual: number) =>
      `the loss explodes: ${short(value)} at step ${step}, where ${short(usual)} was usual`;
    if (losses.length >= RECENT) {
      const usual = median(losses);
      if (loss > AT_ONCE * (usual + chance.loss)) return exploding(loss, usual);
    }
    const before = [...losses, loss].slice(0, -RECENT);
    if (before.length >= RECENT) {
      const [usual, recent] = [median(before), median([...losses, loss].slice(-RECENT))];
      if (recent > FACTOR * usual && recent - usual > chance.loss) return exploding(recent, usual);
    }
    const seen: readonly Seen[] = [...this.current.seen, [loss, correct, images] as const].slice(-(WINDOW + RECENT));
    this.current = { ...this.current, seen };
    const due = this.current.probed === undefined || step >= this.current.probed + WINDOW;
    // The next step has been given to the backend already; the look comes before the one after it, on every path.
    if (due && this.current.probeBefore === undefined && this.isStuck) {
      this.current = { ...this.current, probeBefore: step + 2 };
    }
    return undefined;
  }

  /** A look at the activations was taken before this step. */
  probedBefore(step: number): void {
    const { probeBefore: _, ...rest } = this.current;
    this.current = { ...rest, probed: step };
  }

  /** Whether the last 50 steps were no better than chance: early in a run that is healthy, later it is not. */
  get isStuck(): boolean {
    const seen = this.current.seen.slice(-WINDOW);
    if (seen.length < WINDOW) return false;
    const images = seen.reduce((sum, [, , n]) => sum + n, 0);
    const accuracy = seen.reduce((sum, [, correct]) => sum + correct, 0) / images;
    const { accuracy: p, loss } = this.chance;
    // Four standard errors: one healthy run in 30,000 would be looked at for nothing, which costs a forward pass.
    return accuracy <= p + 4 * Math.sqrt((p * (1 - p)) / images) && median(seen.map(([value]) => value)) >= 0.95 * loss;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return (low + high) / 2;
}

function short(value: number): string {
  return value >= 1e6 ? value.toExponential(1).replace('e+', 'e') : Number(value.toPrecision(3)).toString();
}
