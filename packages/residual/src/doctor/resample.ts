/** Grey pictures of a fixed size from pictures of any size, by the area that each new pixel covers.
 *  Exact for shrinking and growing alike, so copies at two sizes come out nearly equal. */

/**
 * @param grey height × width values
 * @returns side × side values
 */
export function resampleSquare(grey: ArrayLike<number>, height: number, width: number, side: number): Float64Array {
  const columns = coverage(width, side);
  const rows = coverage(height, side);
  const narrow = new Float64Array(height * side);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (const [from, weight] of columns[x]) sum += weight * grey[y * width + from];
      narrow[y * side + x] = sum;
    }
  }
  const result = new Float64Array(side * side);
  for (let y = 0; y < side; y++) {
    for (const [from, weight] of rows[y]) {
      for (let x = 0; x < side; x++) result[y * side + x] += weight * narrow[from * side + x];
    }
  }
  return result;
}

type Weights = readonly (readonly [from: number, weight: number])[];

const known = new Map<number, readonly Weights[]>();

/** For each of `to` pixels, which of `from` pixels it covers, and how much of it each makes up. */
function coverage(from: number, to: number): readonly Weights[] {
  const key = from * 65_536 + to;
  const found = known.get(key);
  if (found !== undefined) return found;
  const scale = from / to;
  const made = Array.from({ length: to }, (_, i): Weights => {
    const [start, end] = [i * scale, (i + 1) * scale];
    const weights: [number, number][] = [];
    for (let k = Math.floor(start); k < Math.min(from, Math.ceil(end - 1e-9)); k++) {
      weights.push([k, (Math.min(end, k + 1) - Math.max(start, k)) / scale]);
    }
    return weights;
  });
  known.set(key, made);
  return made;
}
