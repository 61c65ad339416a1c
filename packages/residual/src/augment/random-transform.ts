/** Keras's random transformation: turn, shift, shear and zoom in one sampling, then channel shift, flips and brightness.
 *  The part of ImageDataGenerator that is plain data, so that a worker, a recipe and `train` can use it. */
import { DataError } from '../data/errors.ts';
import type { Random } from '../data/random.ts';
import { between, choice, range } from './limits.ts';
import type { Picture, Plan } from './transform.ts';
import type { Affine, FillMode, Size } from './warp.ts';
import { aboutCentre, compose, fillModes, identity, mirrorColumns, mirrorRows, translate, warp, zoom } from './warp.ts';

export interface RandomTransform {
  readonly name: 'randomTransform';
  /** Degrees. */
  readonly rotationRange: number;
  readonly widthShiftRange: number | readonly number[];
  readonly heightShiftRange: number | readonly number[];
  /** Degrees. */
  readonly shearRange: number;
  readonly zoomRange: readonly [lowest: number, highest: number];
  readonly channelShiftRange: number;
  readonly brightnessRange: readonly [lowest: number, highest: number] | null;
  readonly horizontalFlip: boolean;
  readonly verticalFlip: boolean;
  readonly fillMode: FillMode;
  readonly cval: number;
  /** 0: the nearest pixel; 1: bilinear. */
  readonly interpolationOrder: 0 | 1;
}

/** The same with everything optional, and a single number for the zoom. */
export type RandomTransformOptions = Partial<Omit<RandomTransform, 'name' | 'zoomRange'>> & {
  readonly zoomRange?: number | readonly [lowest: number, highest: number];
};

/** All of them, by name. */
export const randomTransformOptions = [
  'rotationRange',
  'widthShiftRange',
  'heightShiftRange',
  'shearRange',
  'zoomRange',
  'channelShiftRange',
  'brightnessRange',
  'horizontalFlip',
  'verticalFlip',
  'fillMode',
  'cval',
  'interpolationOrder',
] as const satisfies readonly (keyof RandomTransformOptions)[];

/**
 * The random part of Keras's ImageDataGenerator; each argument is described at `ImageDataGeneratorOptions`. The result
 * is a float picture on the scale of its input.
 *
 * @param caller begins the errors' messages. Default `randomTransform`
 * @throws DataError for impossible values
 * @example randomTransform({ rotationRange: 20, widthShiftRange: 0.2, zoomRange: 0.2, horizontalFlip: true })
 */
export function randomTransform(options: RandomTransformOptions = {}, caller = 'randomTransform'): RandomTransform {
  const { zoomRange = 0, brightnessRange = null, interpolationOrder = 1, cval = 0 } = options;
  const { horizontalFlip = false, verticalFlip = false } = options;
  for (const [name, value] of Object.entries({ horizontalFlip, verticalFlip })) {
    if (typeof value !== 'boolean') throw new DataError(`${caller}: ${name} must be true or false, received ${value}`);
  }
  if (!Number.isFinite(cval)) throw new DataError(`${caller}: cval must be a finite number, received ${cval}`);
  if (interpolationOrder !== 0 && interpolationOrder !== 1) {
    const rule = 'interpolationOrder must be 0 (nearest) or 1 (bilinear)';
    throw new DataError(`${caller}: ${rule}, received ${interpolationOrder}`);
  }
  const zoom =
    typeof zoomRange === 'number'
      ? ([1 - between(caller, 'zoomRange', zoomRange, 0, 0.99), 1 + zoomRange] as const)
      : range(caller, 'zoomRange', zoomRange, 0.01, 100);
  return {
    name: 'randomTransform',
    rotationRange: between(caller, 'rotationRange', options.rotationRange ?? 0, 0, 360),
    widthShiftRange: shiftRange(caller, 'widthShiftRange', options.widthShiftRange ?? 0),
    heightShiftRange: shiftRange(caller, 'heightShiftRange', options.heightShiftRange ?? 0),
    shearRange: between(caller, 'shearRange', options.shearRange ?? 0, 0, 89),
    zoomRange: zoom,
    channelShiftRange: between(caller, 'channelShiftRange', options.channelShiftRange ?? 0, 0),
    brightnessRange: brightnessRange === null ? null : range(caller, 'brightnessRange', brightnessRange, 0),
    horizontalFlip,
    verticalFlip,
    fillMode: choice(caller, 'fillMode', options.fillMode ?? 'nearest', fillModes),
    cval,
    interpolationOrder,
  };
}

function shiftRange(caller: string, name: string, value: number | readonly number[]): number | readonly number[] {
  if (!Array.isArray(value)) return between(caller, name, value as number, 0);
  if (value.length > 0 && value.every(Number.isFinite)) return [...value];
  throw new DataError(`${caller}: ${name} must be a number from 0 up or a list of numbers, received [${value}]`);
}

/** One draw, under Keras's names but in x and y as people mean them: x to the right, y down. */
export interface TransformParameters {
  /** Degrees. */
  readonly theta: number;
  /** Pixels to the side. */
  readonly tx: number;
  /** Pixels up or down. */
  readonly ty: number;
  /** Degrees. */
  readonly shear: number;
  readonly zx: number;
  readonly zy: number;
  readonly flipHorizontal: boolean;
  readonly flipVertical: boolean;
  readonly channelShift: number;
  /** A factor. */
  readonly brightness: number;
}

/** Draws each parameter from a stream of its own, so that no argument changes what another draws. */
export function drawParameters(
  settings: RandomTransform,
  height: number,
  width: number,
  random: Random,
): TransformParameters {
  const { rotationRange, shearRange, zoomRange, channelShiftRange, brightnessRange } = settings;
  const either = (place: number, range: number) => (range === 0 ? 0 : random.fork(place).uniform(-range, range));
  const zooms = random.fork(4);
  return {
    theta: either(0, rotationRange),
    tx: drawShift(settings.widthShiftRange, width, random.fork(1)),
    ty: drawShift(settings.heightShiftRange, height, random.fork(2)),
    shear: either(3, shearRange),
    zx: zooms.uniform(zoomRange[0], zoomRange[1]),
    zy: zooms.uniform(zoomRange[0], zoomRange[1]),
    flipHorizontal: settings.horizontalFlip && random.fork(5).boolean(),
    flipVertical: settings.verticalFlip && random.fork(6).boolean(),
    channelShift: either(7, channelShiftRange),
    brightness: brightnessRange === null ? 1 : random.fork(8).uniform(brightnessRange[0], brightnessRange[1]),
  };
}

/** Keras's three meanings of a shift range; values below 1 are parts of the size. */
function drawShift(range: number | readonly number[], size: number, random: Random): number {
  if (range === 0) return 0;
  let pixels: number;
  if (typeof range === 'number' && !Number.isInteger(range)) {
    pixels = random.uniform(-range, range);
  } else {
    const chosen = typeof range === 'number' ? random.integer(range) : range[random.integer(range.length)];
    pixels = random.boolean() ? chosen : -chosen;
  }
  const largest = typeof range === 'number' ? range : Math.max(...range.map(Math.abs));
  return largest < 1 ? pixels * size : pixels;
}

/**
 * The map from a place in the result to the place in the picture that is seen there: Rotate · Shift · Shear · Zoom in
 * (x, y) about the picture's centre, and before them the flips.
 */
export function transformMatrix(parameters: TransformParameters, size: Size): Affine {
  const { tx, ty, zx, zy } = parameters;
  const [theta, slant] = [(parameters.theta * Math.PI) / 180, (parameters.shear * Math.PI) / 180];
  const [cos, sin] = [Math.cos(theta), Math.sin(theta)];
  // (row, column) is the order of `Affine`: Keras's matrices with their rows and columns exchanged.
  const rotation: Affine = [cos, sin, 0, -sin, cos, 0];
  const shear: Affine = [Math.cos(slant), 0, 0, -Math.sin(slant), 1, 0];
  const map = aboutCentre(compose(rotation, translate(ty, tx), shear, zoom(zy, zx)), size);
  const vertical = parameters.flipVertical ? mirrorRows(size) : identity;
  return compose(map, vertical, parameters.flipHorizontal ? mirrorColumns(size) : identity);
}

export function planRandomTransform(settings: RandomTransform): Plan {
  return ({ height, width }, random) => {
    const parameters = drawParameters(settings, height, width, random);
    return [{ kind: 'redraw', redraw: (picture) => applyParameters(picture, parameters, settings) }];
  };
}

/**
 * Keras's `apply_transform`. In floats, as there: what lies between bytes is kept, so it is no `warp` step, which rounds.
 */
export function applyParameters(
  picture: Picture,
  parameters: TransformParameters,
  { fillMode, cval, interpolationOrder }: Pick<RandomTransform, 'fillMode' | 'cval' | 'interpolationOrder'>,
): Picture {
  const matrix = transformMatrix(parameters, picture);
  const moves = matrix.some((value, i) => value !== identity[i]);
  const { channelShift, brightness } = parameters;
  if (!moves && channelShift === 0 && brightness === 1) return picture;
  const floats = { ...picture, data: new Float32Array(picture.data) };
  const interpolation = interpolationOrder === 0 ? 'nearest' : 'bilinear';
  const moved = moves ? warp(floats, picture, matrix, { fillMode, cval, interpolation }) : floats;
  const data = moved.data instanceof Float32Array ? moved.data : Float32Array.from(moved.data);
  if (channelShift !== 0) shiftChannels(data, channelShift);
  if (brightness !== 1) brighten(data, brightness);
  return { ...moved, data };
}

/** Adds within the picture's own extremes, as Keras does. */
function shiftChannels(data: Float32Array, amount: number): void {
  const [lowest, highest] = extremesOf(data);
  for (let i = 0; i < data.length; i++) data[i] = Math.min(Math.max(data[i] + amount, lowest), highest);
}

/**
 * Multiplies and clips to 0–255. A picture that reaches beyond that scale is brought to it for the while, as in Keras.
 * Keras rounds to bytes on the way, which ruins pictures on the scale 0–1; we keep floats.
 */
function brighten(data: Float32Array, factor: number): void {
  const [lowest, highest] = extremesOf(data);
  if (lowest >= 0 && highest <= 255) {
    for (let i = 0; i < data.length; i++) data[i] = Math.min(data[i] * factor, 255);
    return;
  }
  const range = highest - lowest;
  for (let i = 0; i < data.length; i++) data[i] = Math.min((data[i] - lowest) * factor, range) + lowest;
}

function extremesOf(data: Float32Array): [lowest: number, highest: number] {
  let lowest = Infinity;
  let highest = -Infinity;
  for (let i = 0; i < data.length; i++) {
    if (data[i] < lowest) lowest = data[i];
    if (data[i] > highest) highest = data[i];
  }
  return [lowest, highest];
}
