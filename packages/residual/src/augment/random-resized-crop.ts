/** Random resized crop: a window of random area, shape and place, scaled to the network's size. ImageNet's standard
 *  since "Going deeper with convolutions" (Szegedy et al., 2014); the draws are torchvision's. */
import type { Affine } from './affine.ts';
import { range, whole } from './limits.ts';
import type { Plan } from './transform.ts';

export interface RandomResizedCrop {
  readonly name: 'randomResizedCrop';
  readonly scale: readonly [least: number, most: number];
  readonly ratio: readonly [least: number, most: number];
  readonly decodeSize?: number;
}

/** How often a window is drawn before the largest one in the middle is taken. */
const ATTEMPTS = 10;

/**
 * Where it is the first of the augmentations, pictures come to it larger than the network's size, so that a small
 * window still has its own detail. Scaling down is free of aliasing; values between pixels are bilinear.
 *
 * @param options.scale the window's area as a part of the picture's, drawn evenly. Default 0.08 to 1; 0.35 or more
 *   suits small data sets and short training
 * @param options.ratio the window's width divided by its height, drawn evenly in its logarithm. Default ¾ to 4/3
 * @param options.decodeSize the pixels of a decoded picture's short side, at most. Default twice the network's size
 * @throws DataError for ranges that are not two positive numbers in order, a scale above 1, or a decodeSize that is not
 *   a whole number from 1 up
 */
export function randomResizedCrop(
  options: {
    readonly scale?: readonly [number, number];
    readonly ratio?: readonly [number, number];
    readonly decodeSize?: number;
  } = {},
): RandomResizedCrop {
  const { scale = [0.08, 1], ratio = [3 / 4, 4 / 3], decodeSize } = options;
  return {
    name: 'randomResizedCrop',
    scale: range('randomResizedCrop', 'scale', scale, 1e-4, 1),
    ratio: range('randomResizedCrop', 'ratio', ratio, 0.01, 100),
    ...(decodeSize === undefined ? {} : { decodeSize: whole('randomResizedCrop', 'decodeSize', decodeSize, 1, 16384) }),
  };
}

export function planRandomResizedCrop({ scale, ratio }: RandomResizedCrop): Plan {
  return (size, random, { target }) => {
    const window = drawWindow(size, scale, ratio, random);
    const rows = window.height / target.height;
    const columns = window.width / target.width;
    // Pixel edges, not centres, of the window and the output coincide.
    const matrix: Affine = [rows, 0, window.top + rows / 2 - 0.5, 0, columns, window.left + columns / 2 - 0.5];
    return [{ kind: 'warp', height: target.height, width: target.width, matrix, antialias: true }];
  };
}

/** A window in whole pixels. */
function drawWindow(
  { height, width }: { readonly height: number; readonly width: number },
  scale: readonly [number, number],
  ratio: readonly [number, number],
  random: Parameters<Plan>[1],
) {
  const [low, high] = ratio.map(Math.log);
  for (let i = 0; i < ATTEMPTS; i++) {
    const area = height * width * random.uniform(...scale);
    const aspect = Math.exp(random.uniform(low, high));
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { top: random.integer(height - h + 1), left: random.integer(width - w + 1), height: h, width: w };
  }
  // As near to the wanted shapes as the whole picture comes.
  const [w, h] =
    width / height < ratio[0]
      ? [width, Math.min(height, Math.round(width / ratio[0]))]
      : width / height > ratio[1]
        ? [Math.min(width, Math.round(height * ratio[1])), height]
        : [width, height];
  return { top: Math.floor((height - h) / 2), left: Math.floor((width - w) / 2), height: h, width: w };
}
