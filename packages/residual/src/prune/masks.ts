/** Which weights of a kernel go: the smallest, alone or in the pattern that sparse hardware wants.
 *  Pure: values in, ones and zeros out. */

/** `unstructured`: any weights; `2:4`: two of each four along the input channels of each output. */
export type MaskStructure = 'unstructured' | '2:4';

/** Whether a kernel [..., in, out] can have such a mask. Groups of four must not end in the middle. */
export function canMask(structure: MaskStructure, shape: readonly number[]): boolean {
  return structure === 'unstructured' || (shape.at(-2) ?? 1) % 4 === 0;
}

/**
 * 1 for each weight that stays and 0 for the others. Of equals the first ones go.
 *
 * @param sparsity the part that goes; `2:4` takes half whatever it is
 */
export function maskOf(
  values: Float32Array,
  shape: readonly number[],
  structure: MaskStructure,
  sparsity: number,
): Float32Array {
  return structure === '2:4' ? twoOfFour(values, shape) : smallest(values, Math.round(sparsity * values.length));
}

/** Zeros for the `count` smallest magnitudes. */
function smallest(values: Float32Array, count: number): Float32Array {
  const mask = new Float32Array(values.length).fill(1);
  if (count === 0) return mask;
  // Positive floats are in the order of their bits. Two rounds of counting find the count-th without sorting.
  const bits = new Uint32Array(Float32Array.from(values, Math.abs).buffer);
  const high = nth(bits, count, (bit) => bit >>> 16, 0x8000);
  const inside = count - high.below;
  const low = nth(bits, inside, (bit) => (bit >>> 16 === high.value ? bit & 0xffff : -1), 0x10000);
  const limit = high.value * 0x10000 + low.value;
  let equals = inside - low.below;
  for (const [i, bit] of bits.entries()) {
    if (bit < limit) mask[i] = 0;
    else if (bit === limit && equals > 0) {
      mask[i] = 0;
      equals--;
    }
  }
  return mask;
}

/** The key of the `count`-th smallest, and how many keys are below it; negative keys do not count. */
function nth(bits: Uint32Array, count: number, key: (bit: number) => number, keys: number) {
  const counts = new Uint32Array(keys + 1);
  for (const bit of bits) {
    const k = key(bit);
    if (k >= 0) counts[k]++;
  }
  let below = 0;
  let value = 0;
  while (below + counts[value] < count) below += counts[value++];
  return { value, below };
}

function twoOfFour(values: Float32Array, shape: readonly number[]): Float32Array {
  const mask = new Float32Array(values.length).fill(1);
  const outputs = shape.at(-1) ?? 1;
  // The input channels of one pixel and one output lie `outputs` apart; the inputs of the next pixel follow.
  for (let row = 0; row < values.length / outputs; row += 4) {
    for (let output = 0; output < outputs; output++) {
      const group = [0, 1, 2, 3].map((i) => (row + i) * outputs + output);
      group.sort((a, b) => Math.abs(values[a]) - Math.abs(values[b]) || a - b);
      for (const index of group.slice(0, 2)) mask[index] = 0;
    }
  }
  return mask;
}
