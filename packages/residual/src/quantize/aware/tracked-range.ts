/** The range of a value while it follows the training, and the ranges of those that share its scale. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { RangeEnds } from './rounding.ts';

interface Ends {
  readonly min: LayerVariable;
  readonly max: LayerVariable;
}

export class TrackedRange {
  private readonly group: readonly TrackedRange[];
  private ends: Ends | undefined;

  /** @param group all that share the scale; it adds itself */
  constructor(group: TrackedRange[]) {
    group.push(this);
    this.group = group;
  }

  /** Says where the range is kept, so that checkpoints and averages hold it. */
  keepIn(ends: Ends): void {
    this.ends = ends;
  }

  get own(): Ends {
    if (!this.ends) throw new Error('internal: a range is not kept yet');
    return this.ends;
  }

  /** The range that all values of the group are rounded in. */
  union(): RangeEnds {
    const all = this.group.map(({ own }) => own);
    return {
      min: all.map(({ min }) => min.read() as tf.Scalar).reduce((a, b) => tf.minimum(a, b)),
      max: all.map(({ max }) => max.read() as tf.Scalar).reduce((a, b) => tf.maximum(a, b)),
    };
  }

  /** Moves towards what a batch holds, as TFLite's training does: by an exponential moving average. */
  follow(value: tf.Tensor, decay: number): void {
    const { min, max } = this.own;
    for (const [end, batch] of [
      [min, tf.min(value)],
      [max, tf.max(value)],
    ] as const) {
      const old = end.read();
      end.write(tf.add(old, tf.mul(tf.sub(batch, old), 1 - decay)) as tf.Variable);
    }
  }
}
