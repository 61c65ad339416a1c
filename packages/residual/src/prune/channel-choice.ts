/** Which channels go: those that matter least for the multiply-adds that they cost, a few at a time.
 *  Pure: importance in, channels that stay out. */

import { ModelError } from '../models/errors.ts';
import type { Importance } from './channel-importance.ts';
import { type ChannelAnalysis, type ChannelSet, multiplyAdds } from './channel-sets.ts';
import type { Kept } from './slice-model.ts';

export interface ChoiceOptions {
  /** Part of the multiply-adds that goes, more than 0 and less than 1. A little more goes where the steps are coarse. */
  readonly sparsity: number;
  /**
   * What the number of channels that stay is a multiple of: kernels compute so many at once, and a channel more costs as
   * much as all of the next group. Our own have groups of 16, those of XNNPACK and ONNX Runtime of 8 or 16. A set of fewer
   * than four groups is cut in halves of them. Default 16.
   */
  readonly multiple?: number;
}

/** At least this part of each set stays: a set that is nearly gone is a bottleneck that no fine-tuning widens. */
const LEAST = 1 / 8;

/**
 * Takes channels away, always the group that costs the least importance for each multiply-add saved, until enough are gone.
 *
 * @throws ModelError for impossible options, or where so much cannot go
 */
export function chooseChannels(
  analysis: ChannelAnalysis,
  importance: Importance,
  { sparsity, multiple = 16 }: ChoiceOptions,
): Kept {
  if (!(sparsity > 0 && sparsity < 1)) {
    throw new ModelError(`pruneChannels: sparsity must be more than 0 and less than 1, received ${sparsity}`);
  }
  if (!(Number.isInteger(multiple) && multiple > 0)) {
    throw new ModelError(`pruneChannels: multiple must be a whole number from 1 up, received ${multiple}`);
  }
  const ranked = new Map([...importance].map(([set, values]) => [set, rank(values)]));
  const left = new Map([...ranked.keys()].map((set) => [set, set.channels]));
  const costWith = (changed?: ChannelSet, channels = 0) =>
    multiplyAdds(analysis, (set) => (set === changed ? channels : (left.get(set) ?? set.channels)));
  const whole = costWith();
  const target = (1 - sparsity) * whole;
  /** A change of one set by a group, and what it costs or gives for each multiply-add. */
  const moveOf = (set: ChannelSet, channels: number, cost: number) => {
    const now = left.get(set) as number;
    const values = importance.get(set) as Float64Array;
    const moved = (ranked.get(set) ?? []).slice(Math.min(now, channels), Math.max(now, channels));
    const matter = moved.reduce((sum, channel) => sum + (values[channel] ?? 0), 0);
    const after = costWith(set, channels);
    return { set, channels, cost: after, price: matter / Math.abs(cost - after) };
  };
  let cost = whole;
  while (cost > target) {
    const moves = [...left].flatMap(([set, now]) => {
      const group = groupOf(set, multiple);
      const channels = now - (now % group || group);
      return channels < Math.max(group, LEAST * set.channels) ? [] : [moveOf(set, channels, cost)];
    });
    if (moves.length === 0) {
      const most = Math.floor(100 * (1 - cost / whole));
      throw new ModelError(
        `pruneChannels: sparsity ${sparsity} cannot be reached: ${most} % of the multiply-adds is the most, ` +
          `with groups of ${multiple} channels and an eighth of each set left`,
      );
    }
    const { set, channels, cost: after } = moves.reduce((a, b) => (b.price < a.price ? b : a));
    left.set(set, channels);
    cost = after;
  }
  // The last group may have been a large one: what there is room for comes back, the most important first.
  for (;;) {
    const moves = [...left].flatMap(([set, now]) => {
      const channels = Math.min(set.channels, now + groupOf(set, multiple));
      const move = channels === now ? undefined : moveOf(set, channels, cost);
      return move === undefined || move.cost > target ? [] : [move];
    });
    if (moves.length === 0) break;
    const { set, channels, cost: after } = moves.reduce((a, b) => (b.price > a.price ? b : a));
    left.set(set, channels);
    cost = after;
  }
  return new Map([...ranked].map(([set, order]) => [set, order.slice(0, left.get(set)).sort((a, b) => a - b)]));
}

function groupOf({ channels }: ChannelSet, multiple: number): number {
  return channels < 4 * multiple && multiple % 2 === 0 ? multiple / 2 : multiple;
}

/** Channels by falling importance; of equals the first one stays. */
function rank(values: Float64Array): number[] {
  return Array.from(values, (_, channel) => channel).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
}
