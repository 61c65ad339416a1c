/** Gradual unfreezing: from which epoch on how many of the last blocks learn.
 *  What is frozen is a function of the epoch alone, so that a run that goes on, or goes back, freezes the same. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { keepStatistics, keepsStatistics } from '../models/batch-normalization.ts';
import { ModelError } from '../models/errors.ts';
import { type BatchNormChoice, freeze } from '../models/transfer/freeze.ts';
import { withInner } from '../models/transfer/graph.ts';
import { partsOf } from '../models/transfer/parts.ts';

export interface UnfreezeStage {
  /** The first epoch of the stage, counted from 1 as in the history. */
  readonly epoch: number;
  /** How many of the last blocks learn beside the head, or `all` of the network. */
  readonly blocks: number | 'all';
  /** What batch normalisation does from here on. Default `follow`. */
  readonly batchNorm?: BatchNormChoice;
}

/** @throws ModelError for stages that are out of order, or blocks that the model does not have */
export function checkUnfreezing(model: LayersModel, stages: readonly UnfreezeStage[]): void {
  if (stages.length === 0) return;
  const check = (ok: boolean, rule: string, value: unknown) => {
    if (!ok) throw new ModelError(`unfreeze: ${rule}, received ${JSON.stringify(value)}`);
  };
  const { length } = partsOf(model).blocks;
  stages.forEach((stage, i) => {
    const { epoch, blocks } = stage;
    const least = (stages[i - 1]?.epoch ?? 0) + 1;
    check(Number.isInteger(epoch) && epoch >= least, 'epochs must be whole numbers from 1 up that rise', epoch);
    const there = blocks === 'all' || (Number.isInteger(blocks) && blocks >= 0 && blocks <= length);
    check(there, `blocks must be 'all' or a whole number from 0 to ${length}, the blocks of ${model.name}`, blocks);
  });
}

/** Follows the stages of one model. */
export class Unfreezing {
  private readonly model: LayersModel;
  private readonly stages: readonly UnfreezeStage[];
  /** As the model was given. */
  private readonly first: readonly {
    readonly layer: LayersModel['layers'][number];
    readonly trainable: boolean;
    readonly statistics: boolean;
  }[];
  private now: UnfreezeStage | undefined;

  constructor(model: LayersModel, stages: readonly UnfreezeStage[]) {
    this.model = model;
    this.stages = stages;
    const layers = model.layers.flatMap(withInner);
    this.first = layers.map((layer) => ({ layer, trainable: layer.trainable, statistics: keepsStatistics(layer) }));
  }

  /**
   * Freezes what is to be frozen in an epoch.
   *
   * @param epoch from 0
   * @returns whether anything changed: then the training step is another program
   */
  enter(epoch: number): boolean {
    const stage = this.stages.findLast((one) => one.epoch <= epoch + 1);
    if (stage === this.now) return false;
    if (stage === undefined) {
      this.leave();
    } else {
      const { blocks, batchNorm } = stage;
      freeze(this.model, blocks === 'all' ? 'none' : { lastBlocks: blocks }, batchNorm ? { batchNorm } : {});
    }
    this.now = stage;
    return true;
  }

  /** The model as it was given. */
  leave(): void {
    if (this.now === undefined) return;
    this.now = undefined;
    for (const { layer, trainable, statistics } of this.first) {
      layer.trainable = trainable;
      keepStatistics(layer, statistics);
    }
  }
}
