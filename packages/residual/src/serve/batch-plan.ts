/** Which batch sizes are compiled, and how many of the waiting pictures to run at once: decided by measured times.
 *  A backend that compiles has a program for each size; other sizes are cut, or filled up with blank pictures. */

/** 1, 2, 4, … and `most` itself. */
export function batchSizes(most: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < most; size *= 2) sizes.push(size);
  return [...sizes, most];
}

/** How to run what waits. */
export interface BatchPlan {
  /** Compiled sizes, ascending. */
  readonly sizes: readonly number[];
  /** Milliseconds that all sizes take per picture at best: a guess of how fast a queue drains. */
  readonly perPicture: number;
  /** From so many pictures on, a batch is about as good as it gets. */
  readonly efficient: number;
  /** The compiled size to run next where `waiting` pictures (at least one) wait; it may be more than wait. */
  next(waiting: number): number;
}

/** Within this part of the best time per picture, a size counts as efficient. */
const CLOSE = 1.1;

/**
 * The plan that takes the least time in all, by the times that each size was measured to take.
 *
 * @param times milliseconds of a batch, by its size
 */
export function planBatches(times: ReadonlyMap<number, number>): BatchPlan {
  const sizes = [...times.keys()].sort((a, b) => a - b);
  const most = sizes.at(-1) ?? 1;
  const best: { readonly size: number; readonly total: number }[] = [{ size: 0, total: 0 }];
  for (let waiting = 1; waiting <= most; waiting++) {
    const choices = sizes.map((size) => {
      const rest = best[Math.max(0, waiting - size)]?.total ?? 0;
      return { size, total: (times.get(size) ?? 0) + rest };
    });
    // Of equals the larger: the pictures at the end wait less.
    best.push(choices.reduce((a, b) => (b.total <= a.total ? b : a)));
  }
  const rate = (size: number) => (times.get(size) ?? 0) / size;
  const perPicture = Math.min(...sizes.map(rate));
  return {
    sizes,
    perPicture,
    efficient: sizes.find((size) => rate(size) <= perPicture * CLOSE) ?? most,
    next: (waiting) => best[Math.min(waiting, most)]?.size ?? most,
  };
}
