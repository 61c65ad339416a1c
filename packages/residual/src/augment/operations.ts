/** The operations that the automatic augmentations choose from, and what painting and filling share.
 *  Each is a list of steps for an amount, so that RandAugment, TrivialAugment and AugMix differ in amounts only. */
import type { Random } from '../data/random.ts';
import { type Affine, aboutCentre, rotate, type Size, translate } from './affine.ts';
import { brightness, contrast, meanGrey, saturation, toByte } from './color.ts';
import type { Fill } from './limits.ts';
import { sharpen } from './sharpness.ts';
import { autoContrast, equalize, posterize, solarize } from './tables.ts';
import type { Edge, Picture, Step } from './transform.ts';
import type { FillMode } from './warp.ts';

export const operationNames = [
  'identity',
  'shearX',
  'shearY',
  'translateX',
  'translateY',
  'rotate',
  'brightness',
  'color',
  'contrast',
  'sharpness',
  'posterize',
  'solarize',
  'autoContrast',
  'equalize',
] as const;

export type OperationName = (typeof operationNames)[number];

/**
 * @param amount shears: the slope; translations: pixels; rotate: degrees; brightness, color, contrast and sharpness:
 *   what is added to the factor 1; posterize: bits kept; solarize: the threshold
 */
export function operation(
  name: OperationName,
  amount: number,
  { height, width, channels }: Size & { readonly channels: number },
  edge: Edge,
): readonly Step[] {
  const size = { height, width };
  const warped = (matrix: Affine): readonly Step[] => [{ kind: 'warp', ...size, matrix, edge }];
  switch (name) {
    case 'identity':
      return [];
    case 'shearX':
      return warped(aboutCentre([1, 0, 0, amount, 1, 0], size));
    case 'shearY':
      return warped(aboutCentre([1, amount, 0, 0, 1, 0], size));
    case 'translateX':
      return warped(translate(0, amount));
    case 'translateY':
      return warped(translate(amount, 0));
    case 'rotate':
      return warped(aboutCentre(rotate(amount), size));
    case 'brightness':
      return [{ kind: 'color', matrix: brightness(channels, 1 + amount) }];
    case 'color':
      return channels === 1 ? [] : [{ kind: 'color', matrix: saturation(channels, 1 + amount) }];
    case 'contrast':
      return [{ kind: 'color', matrix: (picture) => contrast(channels, 1 + amount, meanGrey(picture)) }];
    case 'sharpness':
      return [{ kind: 'redraw', redraw: (picture) => sharpen(picture, 1 + amount) }];
    case 'posterize':
      return [{ kind: 'table', tables: posterize(channels, amount) }];
    case 'solarize':
      return [{ kind: 'table', tables: solarize(channels, amount) }];
    case 'autoContrast':
      return [{ kind: 'table', tables: autoContrast }];
    case 'equalize':
      return [{ kind: 'table', tables: equalize }];
    default:
      return name satisfies never;
  }
}

/** What a transform's `fillMode` and `cval` mean for pictures with this mean colour. */
export function edgeOf(
  { fillMode, cval }: { readonly fillMode: FillMode; readonly cval: Fill },
  mean: readonly number[],
  channels: number,
): Edge {
  return { fillMode, cval: cval === 'mean' ? mean : Array<number>(channels).fill(cval) };
}

/** A part of a picture; right and bottom are the first column and row that are not in it. It may reach outside. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** Paints a box with one colour. */
export function paint(data: Picture['data'], picture: Picture, box: Box, fill: Fill, mean: readonly number[]): void {
  const { channels } = picture;
  const bytes = data instanceof Uint8Array;
  const colors = (fill === 'mean' ? mean : Array<number>(channels).fill(fill)).map((v) => (bytes ? toByte(v) : v));
  each(picture, box, (at) => {
    for (let c = 0; c < channels; c++) data[at + c] = colors[c];
  });
}

/** Fills a box with random bytes. */
export function scatter(data: Picture['data'], picture: Picture, box: Box, random: Random): void {
  let word = 0;
  let left = 0;
  each(picture, box, (at) => {
    for (let c = 0; c < picture.channels; c++, left--, word >>>= 8) {
      if (left === 0) {
        word = random.uint32();
        left = 4;
      }
      data[at + c] = word & 0xff;
    }
  });
}

function each({ height, width, channels }: Picture, box: Box, visit: (at: number) => void): void {
  const [left, right] = [Math.max(0, box.left), Math.min(width, box.right)];
  for (let y = Math.max(0, box.top); y < Math.min(height, box.bottom); y++) {
    for (let x = left; x < right; x++) visit((y * width + x) * channels);
  }
}
