/** A heat map as colours to lay over the picture: smooth between the places, clear where nothing speaks for the class.
 *  Pure, for pages and files alike. */

import type { HeatMap } from './grad-cam.ts';
import type { Region } from './region.ts';

/** What is painted: places and their values from 0 to 1. */
export type Heat = Pick<HeatMap, 'width' | 'height'> & { readonly values: ArrayLike<number> };

/** From cold to hot in equal steps, RGB: the colours of Matplotlib's `inferno`, which are in the public domain. */
const ramp = [
  [0, 0, 4],
  [40, 11, 84],
  [101, 21, 110],
  [159, 42, 99],
  [212, 72, 66],
  [245, 125, 21],
  [250, 193, 39],
  [252, 255, 164],
] as const;

/** The most opaque that the map gets, so that the picture shows through. */
const opaque = 215;

/**
 * RGBA bytes, height × width × 4, for a whole picture of which the network saw `region`. What it did not see is clear.
 *
 * @example context.putImageData(new ImageData(paintHeat(map, 512, 512), 512), 0, 0)
 */
export function paintHeat(
  heat: Heat,
  width: number,
  height: number,
  region: Region = { x: 0, y: 0, width: 1, height: 1 },
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(width * height * 4);
  const columns = tapsOf(width, region.x, region.width, heat.width);
  const rows = tapsOf(height, region.y, region.height, heat.height);
  for (let y = 0; y < height; y++) {
    const row = rows[y];
    if (row === undefined) continue;
    for (let x = 0; x < width; x++) {
      const column = columns[x];
      if (column === undefined) continue;
      let value = 0;
      for (const [line, share] of row) {
        for (const [place, part] of column) value += share * part * heat.values[line * heat.width + place];
      }
      colour(Math.min(1, Math.max(0, value)), pixels, 4 * (y * width + x));
    }
  }
  return pixels;
}

type Taps = readonly (readonly [place: number, share: number])[];

/** For each pixel of an axis the places that it is made of; none outside of what was seen. */
function tapsOf(pixels: number, start: number, length: number, places: number): (Taps | undefined)[] {
  return Array.from({ length: pixels }, (_, pixel) => {
    const at = ((pixel + 0.5) / pixels - start) / length;
    if (at < 0 || at > 1) return undefined;
    const centre = at * places - 0.5;
    const first = Math.floor(centre);
    return [-1, 0, 1, 2].map((offset) => {
      const place = Math.min(places - 1, Math.max(0, first + offset));
      return [place, cubic(centre - first - offset)] as const;
    });
  });
}

/** R. Keys's cubic with a = −½ (IEEE TASSP 29, 1981): through every value, without corners. */
function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x >= 2) return 0;
  return x <= 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
}

function colour(value: number, pixels: Uint8ClampedArray, at: number): void {
  const step = Math.min(ramp.length - 2, Math.floor(value * (ramp.length - 1)));
  const rest = value * (ramp.length - 1) - step;
  for (let c = 0; c < 3; c++) pixels[at + c] = ramp[step][c] + rest * (ramp[step + 1][c] - ramp[step][c]);
  // Little veils little: where nearly nothing speaks for the class, the picture stays clear.
  pixels[at + 3] = opaque * value * value * (3 - 2 * value);
}
