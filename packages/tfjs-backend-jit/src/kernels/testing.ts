/** Runs a recipe on one thread against plain arrays: the harness of the kernels' tests. */
import { ModuleBuilder } from '../wasm/assembler.ts';
import type { Features, Kernel, Recipe, Ref } from './kernel.ts';

/** The features of this process, as the tests vary them. `wide` needs the V8 flag, so tests run the narrow tiles unless told. */
export const ALL_FEATURES: readonly Features[] = [
  { relaxed: true, wide: true },
  { relaxed: true, wide: false },
  { relaxed: false, wide: false },
];

type Data = Float32Array | Int32Array;

/** Instantiates a kernel over `memory`. */
export function instantiate(kernel: Kernel, memory: WebAssembly.Memory): (...args: number[]) => void {
  const builder = new ModuleBuilder();
  kernel.emit(builder);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(builder.encode()), { env: { memory } });
  return instance.exports.k as (...args: number[]) => void;
}

/**
 * Runs `recipe` on `inputs`, the pieces of every kernel in a shuffled order and with scratch full of NaN,
 * and returns outputs of `outputSizes` elements (outputs and temporaries start as NaN too).
 */
export function runRecipe(
  recipe: Recipe,
  inputs: readonly Data[],
  outputs: readonly { size: number; lane: 'f32' | 'i32' }[],
): Data[] {
  const scratchBytes = Math.max(0, ...recipe.steps.map((s) => s.kernel.scratch));
  let top = 65536;
  const alloc = (bytes: number) => {
    const at = top;
    top += (bytes + 255) & ~127;
    return at;
  };
  const at = {
    input: inputs.map((x) => alloc(x.byteLength)),
    output: outputs.map((o) => alloc(o.size * 4)),
    temp: recipe.temps.map(alloc),
  };
  const scratch = alloc(scratchBytes);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(top / 65536) + 1, maximum: 65536, shared: true });
  new Float32Array(memory.buffer).fill(Number.NaN);
  inputs.forEach((x, i) => {
    new Uint8Array(memory.buffer).set(new Uint8Array(x.buffer, x.byteOffset, x.byteLength), at.input[i]);
  });
  const address = (ref: Ref) => at[ref.kind][ref.index] as number;
  for (const { kernel, args } of recipe.steps) {
    if (args.length !== kernel.buffers)
      throw new Error(`${kernel.name}: ${args.length} pointers for ${kernel.buffers}`);
    const k = instantiate(kernel, memory);
    for (const piece of shuffled(kernel.pieces)) {
      new Float32Array(memory.buffer, scratch, scratchBytes / 4).fill(Number.NaN);
      k(piece, scratch, ...args.map(address));
    }
  }
  return outputs.map(({ size, lane }, i) =>
    lane === 'f32'
      ? new Float32Array(memory.buffer, at.output[i], size).slice()
      : new Int32Array(memory.buffer, at.output[i], size).slice(),
  );
}

function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  const random = seeded(count);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** A small seeded generator of uniform numbers in [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** `size` numbers of a standard normal distribution. */
export function normal(size: number, seed: number): Float32Array {
  const random = seeded(seed);
  return Float32Array.from(
    { length: size },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}
