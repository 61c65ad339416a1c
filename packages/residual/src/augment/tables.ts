/** Tone changes that look each byte up: inversion, posterising, and what spreads a picture's own histogram.
 *  Channel by channel, as Pillow's ImageOps has them (but that autoContrast rounds where Pillow truncates). */
import { type Tables, toByte } from './color.ts';
import type { Picture } from './transform.ts';

/** Keeps the highest `bits` bits of each value, 0–8. */
export function posterize(channels: number, bits: number): Tables {
  const mask = (0xff << (8 - bits)) & 0xff;
  return same(channels, (value) => value & mask);
}

/** Inverts the values from `threshold` up. */
export function solarize(channels: number, threshold: number): Tables {
  return same(channels, (value) => (value >= threshold ? 255 - value : value));
}

/** Stretches each channel so that its darkest value is 0 and its brightest 255. */
export function autoContrast(picture: Picture): Tables {
  return histograms(picture).map((counts) => {
    const low = counts.findIndex((count) => count > 0);
    const high = counts.findLastIndex((count) => count > 0);
    return Uint8Array.from(counts.keys(), (v) => (high > low ? toByte(((v - low) * 255) / (high - low)) : v));
  });
}

/** Spreads each channel's values so that all are as common as can be. */
export function equalize(picture: Picture): Tables {
  return histograms(picture).map((counts) => {
    const used = counts.filter((count) => count > 0);
    // Pillow's step: how many pixels make one level, the brightest value's not counted.
    const step = Math.floor((used.reduce((a, b) => a + b, 0) - (used.at(-1) ?? 0)) / 255);
    let before = Math.floor(step / 2);
    return Uint8Array.from(counts, (count, value) => {
      const level = step === 0 ? value : Math.min(255, Math.floor(before / step));
      before += count;
      return level;
    });
  });
}

function same(channels: number, change: (value: number) => number): Tables {
  const table = Uint8Array.from({ length: 256 }, (_, value) => change(value));
  return Array<Uint8Array>(channels).fill(table);
}

function histograms({ data, channels }: Picture): Float64Array[] {
  const bytes = data instanceof Uint8Array;
  return Array.from({ length: channels }, (_, c) => {
    const counts = new Float64Array(256);
    for (let p = c; p < data.length; p += channels) counts[bytes ? data[p] : toByte(data[p])]++;
    return counts;
  });
}
