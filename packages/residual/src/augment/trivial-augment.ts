/** TrivialAugment (wide): one operation of a random strength for each picture, and nothing to tune.
 *  "TrivialAugment: tuning-free yet state-of-the-art data augmentation" (Müller and Hutter, 2021). */
import { choice, type Fill, fillValue } from './limits.ts';
import { edgeOf, type OperationName, operation, operationNames } from './operations.ts';
import type { Plan } from './transform.ts';
import { type FillMode, fillModes } from './warp.ts';

export interface TrivialAugment {
  readonly name: 'trivialAugment';
  readonly fillMode: FillMode;
  readonly cval: Fill;
}

/** Strengths are 0 to this, evenly drawn. */
const MOST = 30;

/**
 * @param options.fillMode what comes in at the edges of what is moved. Default `constant`
 * @param options.cval the value of `constant`, 0–255 or `mean`, the data's mean colour. Default `mean`
 * @throws DataError for values out of range
 */
export function trivialAugment(options: { readonly fillMode?: FillMode; readonly cval?: Fill } = {}): TrivialAugment {
  const { fillMode = 'constant', cval = 'mean' } = options;
  return {
    name: 'trivialAugment',
    fillMode: choice('trivialAugment', 'fillMode', fillMode, fillModes),
    cval: fillValue('trivialAugment', 'cval', cval),
  };
}

export function planTrivialAugment(data: TrivialAugment): Plan {
  return (size, random, { mean }) => {
    const name = operationNames[random.integer(operationNames.length)];
    const part = random.integer(MOST + 1) / MOST;
    const sign = random.boolean() ? -1 : 1;
    return operation(name, amount(name, part, sign), size, edgeOf(data, mean, size.channels));
  };
}

/** The paper's wide ranges. Translations are its 32 pixels, whatever the size. */
function amount(name: OperationName, part: number, sign: number): number {
  switch (name) {
    case 'shearX':
    case 'shearY':
    case 'brightness':
    case 'color':
    case 'contrast':
    case 'sharpness':
      return sign * 0.99 * part;
    case 'translateX':
    case 'translateY':
      return sign * 32 * part;
    case 'rotate':
      return sign * 135 * part;
    case 'posterize':
      return 8 - Math.round(6 * part);
    case 'solarize':
      return 255 * (1 - part);
    default:
      return 0;
  }
}
