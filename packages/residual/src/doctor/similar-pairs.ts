/** Pairs of 64-bit hashes that differ in few bits, without comparing all with all: multi-index hashing
 *  (M. Norouzi, A. Punjani, D. Fleet, "Fast Search in Hamming Space", CVPR 2012). */

import { hammingDistance } from './perceptual-hash.ts';

/** Words of 16 bits in a hash. Of two hashes within 7 bits, one of their four words differs in at most one bit. */
const words = 4;
export const furthest = 7;

/**
 * Calls `visit` for every pair (i < j) within `radius` bits, each once. Equal hashes are compared through one of them
 * only: give each distinct hash once, or a crowd of equal ones costs the square of their number.
 *
 * @param hashes two words of 32 bits each, one after the other
 * @param radius 0 to 7
 * @returns how many pairs were compared
 */
export function similarPairs(
  hashes: Uint32Array,
  radius: number,
  visit: (i: number, j: number, distance: number) => void,
): number {
  if (!(radius >= 0 && radius <= furthest)) throw new Error(`internal: a radius from 0 to ${furthest}, not ${radius}`);
  const size = hashes.length / 2;
  const wordOf = (i: number, w: number) => (hashes[2 * i + (w >> 1)] >>> (16 * (w & 1))) & 0xffff;
  // Each word's buckets: first entries, and a chain through the earlier hashes with the same word.
  const heads = Array.from({ length: words }, () => new Int32Array(65_536).fill(-1));
  const chains = Array.from({ length: words }, () => new Int32Array(size).fill(-1));
  const seen = new Int32Array(size).fill(-1);
  let compared = 0;
  for (let j = 0; j < size; j++) {
    for (let w = 0; w < words; w++) {
      const word = wordOf(j, w);
      for (let flip = -1; flip < 16; flip++) {
        const near = flip < 0 ? word : word ^ (1 << flip);
        for (let i = heads[w][near]; i >= 0; i = chains[w][i]) {
          if (seen[i] === j) continue;
          seen[i] = j;
          compared++;
          const distance = hammingDistance(hashes[2 * i], hashes[2 * i + 1], hashes[2 * j], hashes[2 * j + 1]);
          if (distance <= radius) visit(i, j, distance);
        }
      }
    }
    for (let w = 0; w < words; w++) {
      const word = wordOf(j, w);
      chains[w][j] = heads[w][word];
      heads[w][word] = j;
    }
  }
  return compared;
}
