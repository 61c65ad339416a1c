/** Affine maps between pixel grids: which place of the input each pixel of the output shows.
 *  All geometric augmentations are such maps, so that a chain of them is one product and one warp. */

/**
 * `[a, b, c, d, e, f]` takes the output pixel (row y, column x) to the input's place
 * (a·y + b·x + c, d·y + e·x + f), row first. Pixel centres have whole coordinates.
 */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export interface Size {
  readonly height: number;
  readonly width: number;
}

export const identity: Affine = [1, 0, 0, 0, 1, 0];

/**
 * The product of the maps, left to right: the picture is warped by the first, the result by the second, and so on.
 * (A later map is nearer to the output, so that its coordinates go through the earlier ones.)
 */
export function compose(...maps: readonly Affine[]): Affine {
  return maps.reduce(product, identity);
}

function product([a, b, c, d, e, f]: Affine, [g, h, i, j, k, l]: Affine): Affine {
  return [a * g + b * j, a * h + b * k, a * i + b * l + c, d * g + e * j, d * h + e * k, d * i + e * l + f];
}

/** The output shows what lies `rows` below and `columns` to the right: the content moves up and left. */
export function translate(rows: number, columns: number): Affine {
  return [1, 0, rows, 0, 1, columns];
}

/** About pixel (0, 0): [[cos, −sin], [sin, cos]] on (row, column), Keras's: content turns clockwise. */
export function rotate(degrees: number): Affine {
  const [sin, cos] = sinCos(degrees);
  return [cos, -sin, 0, sin, cos, 0];
}

/** About pixel (0, 0): [[1, −sin], [0, cos]] on (row, column), Keras's shear. */
export function shear(degrees: number): Affine {
  const [sin, cos] = sinCos(degrees);
  return [1, -sin, 0, 0, cos, 0];
}

/** About pixel (0, 0): factors above 1 shrink the content, below 1 enlarge it. */
export function zoom(rows: number, columns: number = rows): Affine {
  return [rows, 0, 0, 0, columns, 0];
}

/** The same map about the middle of a picture, (height / 2 − ½, width / 2 − ½). */
export function aboutCentre(map: Affine, { height, width }: Size): Affine {
  const [y, x] = [height / 2 - 0.5, width / 2 - 0.5];
  return compose(translate(y, x), map, translate(-y, -x));
}

/** Left and right change places. */
export function mirrorColumns({ width }: Size): Affine {
  return [1, 0, 0, 0, -1, width - 1];
}

/** Top and bottom change places. */
export function mirrorRows({ height }: Size): Affine {
  return [-1, 0, height - 1, 0, 1, 0];
}

/** Exact at quarter turns, so that a picture turned four times is itself. */
function sinCos(degrees: number): [sin: number, cos: number] {
  const turn = ((degrees % 360) + 360) % 360;
  if (turn % 90 === 0) return [[0, 1, 0, -1][turn / 90] ?? 0, [1, 0, -1, 0][turn / 90] ?? 0];
  const radians = (degrees * Math.PI) / 180;
  return [Math.sin(radians), Math.cos(radians)];
}
