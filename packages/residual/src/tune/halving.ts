/** Which trial to train next, and how far: asynchronous successive halving (L. Li and others, "A system for massively
 *  parallel hyperparameter tuning", arXiv 1810.05934), for one worker.
 *  A pure function of what was measured, so a search that is resumed goes the same way. */

/** What a trial was worth at the end of a rung. */
export interface Score {
  readonly trial: number;
  /** Counted from 0. */
  readonly rung: number;
  /** Higher is better; −∞ for a trial that failed. */
  readonly score: number;
}

export interface Plan {
  /** How many trials may be begun. */
  readonly trials: number;
  /** Of each rung's trials, one in `keep` goes on. */
  readonly keep: number;
  /** Epochs at the end of each rung, rising; the last is the whole run. */
  readonly rungs: readonly number[];
}

export interface Task {
  readonly trial: number;
  readonly rung: number;
}

/**
 * The epochs of the rungs.
 *
 * @param least of the first rung
 * @param most of the whole run
 */
export function rungsOf(least: number, most: number, keep: number): readonly number[] {
  const rungs: number[] = [];
  for (let epochs = Math.min(least, most); epochs < most; epochs *= keep) rungs.push(Math.round(epochs));
  return [...rungs, most];
}

/** The next task; undefined when the search is done. `scores` in the order in which they came. */
export function nextTask({ trials, keep, rungs }: Plan, scores: readonly Score[]): Task | undefined {
  const last = rungs.length - 1;
  const begun = scores.filter(({ rung }) => rung === 0).length;
  for (let rung = last - 1; rung >= 0; rung--) {
    const ranked = ranking(scores, rung);
    const promotable = ranked.slice(0, Math.floor(ranked.length / keep));
    const next = promotable.find(({ trial }) => !scores.some((one) => one.trial === trial && one.rung === rung + 1));
    if (next !== undefined && next.score > Number.NEGATIVE_INFINITY) return { trial: next.trial, rung: rung + 1 };
  }
  if (begun < trials) return { trial: begun, rung: 0 };
  // A search of few trials would end without one that was trained to its end: the best goes on.
  for (let rung = last; rung >= 0; rung--) {
    const [best] = ranking(scores, rung);
    if (best === undefined || best.score === Number.NEGATIVE_INFINITY) continue;
    return rung === last ? undefined : { trial: best.trial, rung: rung + 1 };
  }
  return undefined;
}

/** The trials that reached a rung, the best first; of equals the earlier. */
export function ranking(scores: readonly Score[], rung: number): readonly Score[] {
  return scores.filter((one) => one.rung === rung).sort((a, b) => b.score - a.score || a.trial - b.trial);
}

/** The best trial: of those that came furthest, the one with the highest score. */
export function bestTrial(scores: readonly Score[]): Score | undefined {
  const furthest = Math.max(...scores.filter(({ score }) => Number.isFinite(score)).map(({ rung }) => rung));
  return ranking(scores, furthest)[0];
}
