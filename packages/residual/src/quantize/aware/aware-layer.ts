/** One node of the inference graph as a layer that learns: what it computes, and the rounding of what it stores.
 *  Its weights are those of the layers that the node was made of, so that training moves the network itself. */

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { GraphNode } from '../../export/graph/graph.ts';
import { applyNode } from '../../export/graph/run.ts';
import type { Granularity } from '../weights.ts';
import { computeLinear } from './linear.ts';
import { roundValue, roundWeights, type ValueGrid } from './rounding.ts';
import type { Rounding } from './roundings.ts';
import type { LinearSource } from './sources.ts';

/** What all layers of one network share. */
export interface AwareState {
  /** Batch normalisation keeps its averages, and values their ranges: the network is the one that will be exported. */
  frozen: boolean;
  readonly grid: ValueGrid;
  readonly weights: { readonly bits: number; readonly granularity: Granularity };
  /** What a range keeps of itself at each step. */
  readonly rangeDecay: number;
}

export interface AwareLayerArgs {
  /** The network's input, or a node and the source of its numbers. */
  readonly of: { readonly name: string; readonly shape: readonly number[] } | GraphNode;
  readonly source?: LinearSource | undefined;
  /** Layers of the source that no earlier layer has given the network. */
  readonly owned: readonly tfl.layers.Layer[];
  /** Its weights are not rounded. */
  readonly inFloats: boolean;
  readonly rounding: Rounding;
  readonly state: AwareState;
}

export class AwareLayer extends tfl.layers.Layer {
  /** @nocollapse */
  static className = 'QuantizeAware';
  private readonly args: AwareLayerArgs;

  constructor(args: AwareLayerArgs) {
    super({ name: args.of.name });
    this.args = args;
    this.supportsMasking = false;
  }

  override build(shape: tfl.Shape | tfl.Shape[]): void {
    const { rounding, state } = this.args;
    if (rounding.kind === 'tracked') {
      const { start, range } = rounding;
      const end = (name: 'min' | 'max') => {
        const initial = tfl.initializers.constant({ value: start[name] });
        return this.addWeight(`${name}_${state.grid.bits}bit`, [], 'float32', initial, undefined, false);
      };
      range.keepIn({ min: end('min'), max: end('max') });
    }
    super.build(shape);
  }

  override computeOutputShape(shape: tfl.Shape | tfl.Shape[]): tfl.Shape {
    const [first] = Array.isArray(shape[0]) ? (shape as tfl.Shape[]) : [shape as tfl.Shape];
    return [first?.[0] ?? null, ...this.args.of.shape];
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean }): tf.Tensor {
    const given = Array.isArray(inputs) ? inputs : [inputs];
    const training = kwargs?.training === true && !this.args.state.frozen;
    return tf.tidy(() => this.rounded(this.compute(given, training), training));
  }

  /** Frozen layers stay frozen, for these are the network's own. */
  override get trainableWeights(): tfl.LayerVariable[] {
    return this.args?.owned.flatMap((layer) => layer.trainableWeights) ?? [];
  }

  override set trainableWeights(_: tfl.LayerVariable[]) {}

  override get nonTrainableWeights(): tfl.LayerVariable[] {
    const own = super.nonTrainableWeights;
    return [...(this.args?.owned.flatMap((layer) => layer.nonTrainableWeights) ?? []), ...own];
  }

  override set nonTrainableWeights(_: tfl.LayerVariable[]) {}

  /** Regularisers are the network's own. */
  override get losses() {
    return this.args?.owned.flatMap((layer) => layer.losses) ?? [];
  }

  /** The network keeps its weights. */
  protected override disposeWeights(): number {
    const own = super.nonTrainableWeights;
    for (const weight of own) weight.dispose();
    return own.length;
  }

  private compute(inputs: readonly tf.Tensor[], useBatch: boolean): tf.Tensor {
    const { of, source, inFloats, state } = this.args;
    const [x] = inputs;
    if (!x) throw new Error(`internal: ${this.name} has no input`);
    if (!('op' in of)) return x;
    if (!source) {
      return applyNode(of, inputs, () => {
        throw new Error(`internal: ${this.name} has constants of no layer`);
      });
    }
    const round = (weights: tf.Tensor, channels: number) =>
      inFloats ? weights : roundWeights(weights, channels, state.weights);
    return computeLinear(of, source, x, { round, useBatch });
  }

  private rounded(value: tf.Tensor, follows: boolean): tf.Tensor {
    const { rounding, state } = this.args;
    switch (rounding.kind) {
      case 'none':
        return value;
      case 'fixed': {
        const { min, max } = rounding.range;
        return roundValue(value, state.grid, () => ({ min: tf.scalar(min), max: tf.scalar(max) }));
      }
      case 'tracked':
        return roundValue(value, state.grid, (given) => {
          if (follows) rounding.range.follow(given, state.rangeDecay);
          return rounding.range.union();
        });
      default:
        return rounding satisfies never;
    }
  }
}
