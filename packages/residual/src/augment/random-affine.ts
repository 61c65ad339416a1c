/** Random affine: rotation, shift, shear and zoom about the middle in one warp.
 *  The maps and their order (rotate · shift · shear · zoom) are Keras's; one zoom factor keeps the picture's shape. */
import { DataError } from '../data/errors.ts';
import { aboutCentre, compose, rotate, shear, translate, zoom } from './affine.ts';
import { between, choice, type Fill, fillValue, range } from './limits.ts';
import { edgeOf } from './operations.ts';
import type { Plan } from './transform.ts';
import { type FillMode, fillModes } from './warp.ts';

export interface RandomAffine {
  readonly name: 'randomAffine';
  readonly rotation: number;
  readonly shift: readonly [rows: number, columns: number];
  readonly shear: number;
  readonly zoom: readonly [least: number, most: number];
  readonly probability: number;
  readonly fillMode: FillMode;
  readonly cval: Fill;
  readonly interpolation: 'nearest' | 'bilinear';
}

/**
 * @param options.rotation degrees, drawn evenly from −rotation to rotation. Default 0
 * @param options.shift parts of the height and the width (one number for both), drawn from −shift to shift. Default 0
 * @param options.shear degrees, drawn from −shear to shear. Default 0
 * @param options.zoom the content's size, from least to most; one number z means 1 − z to 1 + z. Default 0: unchanged
 * @param options.probability of any change at all. Default 1
 * @param options.fillMode what comes in at the edges: `nearest`, `reflect`, `wrap` or `constant`. Default `nearest`
 * @param options.cval the value of `constant`, 0–255 or `mean`, the data's mean colour. Default 0
 * @param options.interpolation `bilinear` or `nearest`. Default `bilinear`
 * @throws DataError for values out of range
 */
export function randomAffine(
  options: {
    readonly rotation?: number;
    readonly shift?: number | readonly [number, number];
    readonly shear?: number;
    readonly zoom?: number | readonly [number, number];
    readonly probability?: number;
    readonly fillMode?: FillMode;
    readonly cval?: Fill;
    readonly interpolation?: 'nearest' | 'bilinear';
  } = {},
): RandomAffine {
  const { rotation = 0, shift = 0, shear = 0, zoom = 0, probability = 1 } = options;
  const { fillMode = 'nearest', cval = 0, interpolation = 'bilinear' } = options;
  const name = 'randomAffine';
  const shifts = typeof shift === 'number' ? ([shift, shift] as const) : shift;
  if (shifts.length !== 2) throw new DataError(`${name}: shift must be one number or two, received ${shift}`);
  const zooms = typeof zoom === 'number' ? ([1 - between(name, 'zoom', zoom, 0, 0.99), 1 + zoom] as const) : zoom;
  return {
    name,
    rotation: between(name, 'rotation', rotation, 0, 180),
    shift: [between(name, 'shift', shifts[0], 0, 1), between(name, 'shift', shifts[1], 0, 1)],
    shear: between(name, 'shear', shear, 0, 89),
    zoom: range(name, 'zoom', zooms, 0.01, 100),
    probability: between(name, 'probability', probability, 0, 1),
    fillMode: choice(name, 'fillMode', fillMode, fillModes),
    cval: fillValue(name, 'cval', cval),
    interpolation: choice(name, 'interpolation', interpolation, ['nearest', 'bilinear']),
  };
}

export function planRandomAffine(data: RandomAffine): Plan {
  return ({ height, width, channels }, random, { mean }) => {
    const applies = random.boolean(data.probability);
    const degrees = random.uniform(-data.rotation, data.rotation);
    const rows = random.uniform(-data.shift[0], data.shift[0]) * height;
    const columns = random.uniform(-data.shift[1], data.shift[1]) * width;
    const slant = random.uniform(-data.shear, data.shear);
    const size = random.uniform(...data.zoom);
    if (!applies) return [];
    const map = compose(rotate(degrees), translate(rows, columns), shear(slant), zoom(1 / size));
    return [
      {
        kind: 'warp',
        height,
        width,
        matrix: aboutCentre(map, { height, width }),
        edge: edgeOf(data, mean, channels),
        interpolation: data.interpolation,
      },
    ];
  };
}
