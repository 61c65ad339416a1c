/** A 64-bit fingerprint of what a picture looks like: the signs of its lowest frequencies (pHash: E. Klinger,
 *  D. Starkweather, phash.org). It survives scaling, recompression and a change of brightness. */

/** Side of the grey picture that is transformed. */
export const hashSide = 32;
/** Frequencies kept in each direction. */
const low = 8;

/** cos((2x + 1)·u·π / 64) for the 8 lowest frequencies u. */
const cosines = Float64Array.from({ length: low * hashSide }, (_, i) =>
  Math.cos(((2 * (i % hashSide) + 1) * Math.floor(i / hashSide) * Math.PI) / (2 * hashSide)),
);

/**
 * The hash as two words of 32 bits. A bit says whether a frequency of the picture's cosine transform is above the median
 * of the 64; the first, the mean brightness, is left out of the median, and its bit is 0.
 *
 * @param grey 32 × 32 values
 */
export function perceptualHash(grey: ArrayLike<number>): readonly [high: number, low: number] {
  const rows = new Float64Array(hashSide * low);
  for (let y = 0; y < hashSide; y++) {
    for (let u = 0; u < low; u++) {
      let sum = 0;
      for (let x = 0; x < hashSide; x++) sum += grey[y * hashSide + x] * cosines[u * hashSide + x];
      rows[y * low + u] = sum;
    }
  }
  const frequencies = new Float64Array(low * low);
  for (let v = 0; v < low; v++) {
    for (let u = 0; u < low; u++) {
      let sum = 0;
      for (let y = 0; y < hashSide; y++) sum += rows[y * low + u] * cosines[v * hashSide + y];
      frequencies[v * low + u] = sum;
    }
  }
  const median = Float64Array.from(frequencies.subarray(1)).sort()[31];
  const words: [number, number] = [0, 0];
  for (let bit = 1; bit < 64; bit++) {
    if (frequencies[bit] > median) words[bit >> 5] |= 1 << (bit & 31);
  }
  return [words[0] >>> 0, words[1] >>> 0];
}

/** How many bits differ. */
export function hammingDistance(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return bits(aHigh ^ bHigh) + bits(aLow ^ bLow);
}

function bits(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
