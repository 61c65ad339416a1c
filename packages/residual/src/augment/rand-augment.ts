/** RandAugment: a few operations, drawn anew for each picture, all of one strength: two numbers to tune.
 *  "RandAugment: practical automated data augmentation" (Cubuk et al., 2019); amounts as in torchvision. */
import { choice, type Fill, fillValue, whole } from './limits.ts';
import { edgeOf, type OperationName, operation, operationNames } from './operations.ts';
import type { Plan, Step } from './transform.ts';
import { type FillMode, fillModes } from './warp.ts';

export interface RandAugment {
  readonly name: 'randAugment';
  readonly operations: number;
  readonly magnitude: number;
  readonly fillMode: FillMode;
  readonly cval: Fill;
}

/** Magnitudes run from 0 to this. */
const MOST = 30;

/**
 * @param options.operations how many, one after the other. Default 2
 * @param options.magnitude their strength, 0 to 30. Default 9
 * @param options.fillMode what comes in at the edges of what is moved. Default `constant`
 * @param options.cval the value of `constant`, 0–255 or `mean`, the data's mean colour. Default `mean`
 * @throws DataError for values out of range
 */
export function randAugment(
  options: {
    readonly operations?: number;
    readonly magnitude?: number;
    readonly fillMode?: FillMode;
    readonly cval?: Fill;
  } = {},
): RandAugment {
  const { operations = 2, magnitude = 9, fillMode = 'constant', cval = 'mean' } = options;
  return {
    name: 'randAugment',
    operations: whole('randAugment', 'operations', operations, 1, 20),
    magnitude: whole('randAugment', 'magnitude', magnitude, 0, MOST),
    fillMode: choice('randAugment', 'fillMode', fillMode, fillModes),
    cval: fillValue('randAugment', 'cval', cval),
  };
}

export function planRandAugment(data: RandAugment): Plan {
  const part = data.magnitude / MOST;
  return (size, random, { mean }) => {
    const edge = edgeOf(data, mean, size.channels);
    const steps: Step[] = [];
    for (let i = 0; i < data.operations; i++) {
      const name = operationNames[random.integer(operationNames.length)];
      const sign = random.boolean() ? -1 : 1;
      steps.push(...operation(name, amount(name, part, sign, size.height, size.width), size, edge));
    }
    return steps;
  };
}

/** torchvision's amounts, for a part of the greatest magnitude. */
function amount(name: OperationName, part: number, sign: number, height: number, width: number): number {
  switch (name) {
    case 'shearX':
    case 'shearY':
      return sign * 0.3 * part;
    case 'translateX':
      return sign * (150 / 331) * width * part;
    case 'translateY':
      return sign * (150 / 331) * height * part;
    case 'rotate':
      return sign * 30 * part;
    case 'brightness':
    case 'color':
    case 'contrast':
    case 'sharpness':
      return sign * 0.9 * part;
    case 'posterize':
      return 8 - Math.round(4 * part);
    case 'solarize':
      return 255 * (1 - part);
    default:
      return 0;
  }
}
