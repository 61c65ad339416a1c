/** CutMix: a rectangle of each image of a batch is taken from another, and the labels are shared by area.
 *  "CutMix: regularization strategy to train strong classifiers" (Yun et al., 2019); a rectangle for each image. */
import type { Random } from '../data/random.ts';
import type { Size } from './affine.ts';
import { beta } from './distributions.ts';
import { between } from './limits.ts';
import type { MixPair } from './mix.ts';
import type { Box } from './operations.ts';

export interface CutMix {
  readonly name: 'cutMix';
  readonly alpha: number;
  readonly probability: number;
}

/**
 * Works on finished batches, and stands at the end of the list. Beside mixup each batch gets one of the two.
 *
 * @param options.alpha of the Beta distribution of the areas. Default 1: all are as likely
 * @param options.probability that a batch is mixed. Default 1
 * @throws DataError for values out of range
 */
export function cutMix(options: { readonly alpha?: number; readonly probability?: number } = {}): CutMix {
  const { alpha = 1, probability = 1 } = options;
  return {
    name: 'cutMix',
    alpha: between('cutMix', 'alpha', alpha, 0.001, 1000),
    probability: between('cutMix', 'probability', probability, 0, 1),
  };
}

export function cutMixPair({ alpha }: CutMix): MixPair {
  return (first, second, size, random) => {
    const boxes = [drawBox(size, alpha, random), drawBox(size, alpha, random)] as const;
    const whole = first.slice();
    paste(second, first, size, boxes[0]);
    paste(whole, second, size, boxes[1]);
    const [p, q] = boxes.map((box) => 1 - area(box) / (size.height * size.width));
    return [p, q];
  };
}

/** Of the paper's shape, the picture's own, anywhere; what lies outside is cut off and not counted. */
function drawBox({ height, width }: Size, alpha: number, random: Random): Box {
  const side = Math.sqrt(1 - beta(random, alpha, alpha));
  const [h, w] = [Math.floor(height * side), Math.floor(width * side)];
  const [y, x] = [random.integer(height), random.integer(width)];
  const [top, left] = [y - Math.floor(h / 2), x - Math.floor(w / 2)];
  return {
    top: Math.max(0, top),
    left: Math.max(0, left),
    bottom: Math.min(height, top + h),
    right: Math.min(width, left + w),
  };
}

function area({ top, left, bottom, right }: Box): number {
  return (bottom - top) * (right - left);
}

function paste(from: Float32Array, to: Float32Array, { height, width }: Size, box: Box): void {
  const channels = from.length / (height * width);
  for (let y = box.top; y < box.bottom; y++) {
    const [start, end] = [(y * width + box.left) * channels, (y * width + box.right) * channels];
    to.set(from.subarray(start, end), start);
  }
}
