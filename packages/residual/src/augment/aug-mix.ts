/** AugMix: several chains of operations on one picture, averaged by random weights and with the picture itself.
 *  "AugMix: a simple method to improve robustness and uncertainty under data shift" (Hendrycks et al., 2019). */
import { Canvas } from './canvas.ts';
import { toByte } from './color.ts';
import { beta, dirichlet } from './distributions.ts';
import { between, choice, type Fill, fillValue, whole } from './limits.ts';
import { edgeOf, type OperationName, operation } from './operations.ts';
import { blank, type Picture, type Plan } from './transform.ts';
import { type FillMode, fillModes } from './warp.ts';

export interface AugMix {
  readonly name: 'augMix';
  readonly severity: number;
  readonly width: number;
  /** 0: drawn from 1 to 3 for each chain. */
  readonly depth: number;
  readonly alpha: number;
  readonly fillMode: FillMode;
  readonly cval: Fill;
}

/** The paper's: none that the corruptions of its benchmark contain. */
const names: readonly OperationName[] = [
  'autoContrast',
  'equalize',
  'posterize',
  'rotate',
  'solarize',
  'shearX',
  'shearY',
  'translateX',
  'translateY',
];

/**
 * @param options.severity the greatest strength, 1 to 10. Default 3
 * @param options.width how many chains. Default 3
 * @param options.depth operations in each chain; 0 draws from 1 to 3. Default 0
 * @param options.alpha of the weights' Dirichlet and Beta distributions. Default 1
 * @param options.fillMode what comes in at the edges of what is moved. Default `constant`
 * @param options.cval the value of `constant`, 0–255 or `mean`, the data's mean colour. Default `mean`
 * @throws DataError for values out of range
 */
export function augMix(
  options: {
    readonly severity?: number;
    readonly width?: number;
    readonly depth?: number;
    readonly alpha?: number;
    readonly fillMode?: FillMode;
    readonly cval?: Fill;
  } = {},
): AugMix {
  const { severity = 3, width = 3, depth = 0, alpha = 1, fillMode = 'constant', cval = 'mean' } = options;
  return {
    name: 'augMix',
    severity: between('augMix', 'severity', severity, 1, 10),
    width: whole('augMix', 'width', width, 1, 10),
    depth: whole('augMix', 'depth', depth, 0, 10),
    alpha: between('augMix', 'alpha', alpha, 0.01, 100),
    fillMode: choice('augMix', 'fillMode', fillMode, fillModes),
    cval: fillValue('augMix', 'cval', cval),
  };
}

export function planAugMix(data: AugMix): Plan {
  return (size, random, { mean }) => {
    const edge = edgeOf(data, mean, size.channels);
    const share = beta(random, data.alpha, data.alpha);
    const weights = dirichlet(random, data.alpha, data.width);
    const chains = weights.map(() => {
      const depth = data.depth === 0 ? 1 + random.integer(3) : data.depth;
      return Array.from({ length: depth }, () => {
        const name = names[random.integer(names.length)];
        const level = random.uniform(0.1, data.severity) / 10;
        const sign = random.boolean() ? -1 : 1;
        return operation(name, amount(name, level, sign, size.height, size.width), size, edge);
      }).flat();
    });
    const redraw = (picture: Picture): Picture => {
      const sum = new Float32Array(picture.data.length);
      add(sum, picture.data, 1 - share);
      chains.forEach((steps, i) => {
        const canvas = new Canvas(picture);
        for (const step of steps) canvas.add(step);
        add(sum, canvas.settle().data, share * weights[i]);
      });
      const out = blank(picture, picture.height, picture.width);
      const bytes = out.data instanceof Uint8Array;
      for (let i = 0; i < sum.length; i++) out.data[i] = bytes ? toByte(sum[i]) : sum[i];
      return out;
    };
    return [{ kind: 'redraw', redraw }];
  };
}

function add(sum: Float32Array, data: Picture['data'], weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] += weight * data[i];
}

/** The authors' amounts for a level from 0 to 1. */
function amount(name: OperationName, level: number, sign: number, height: number, width: number): number {
  switch (name) {
    case 'shearX':
    case 'shearY':
      return sign * 0.3 * level;
    case 'translateX':
      return sign * (width / 3) * level;
    case 'translateY':
      return sign * (height / 3) * level;
    case 'rotate':
      return sign * 30 * level;
    case 'posterize':
      return 4 - Math.floor(4 * level);
    case 'solarize':
      return 256 * (1 - level);
    default:
      return 0;
  }
}
