/**
 * What this engine and processor can do, probed once at start by compiling and running tiny modules.
 * Each fast path is checked against a known answer before it is trusted.
 */
import type { Features } from '../kernels/kernel.ts';
import { type Expr, f32x4, i32, ModuleBuilder, v128 } from './assembler.ts';

/** True in Node (and its kin), where V8's flags can be set from within. */
export const isNode = typeof process !== 'undefined' && process.versions?.node !== undefined;

/** One of Node's own modules. No `import('node:…')`: bundlers for pages would look for the module. */
export const builtin: typeof process.getBuiltinModule = (name: string) => process.getBuiltinModule(name);

/**
 * Reads an environment variable; in a page, which has none, a property of `globalThis.tfjsBackendJit`, to be set
 * before this package is imported: `globalThis.tfjsBackendJit = { JIT_THREADS: '2' }`.
 */
export function env(name: string): string | undefined {
  if (isNode) return process.env[name];
  return (globalThis as { tfjsBackendJit?: Readonly<Record<string, string>> }).tfjsBackendJit?.[name];
}

/**
 * Switches on V8's 256-bit revectoriser if the engine has it and `JIT_REVEC` is not `0`.
 * It must happen before any kernel is compiled; `--no-liftoff` beside it crashes Node 26, so tier-up is left alone.
 */
function enableRevectoriser(): boolean {
  if (!isNode || env('JIT_REVEC') === '0' || process.arch !== 'x64') return false;
  const major = Number(process.versions.node.split('.')[0]);
  if (!(major >= 24)) return false;
  try {
    const v8 = builtin('node:v8');
    v8.setFlagsFromString('--experimental-wasm-revectorize');
    // Hot kernels reach the optimising compiler sooner: the second step of a ResNet18 took 235 ms instead of 290.
    v8.setFlagsFromString('--wasm-tiering-budget=1000000');
    return true;
  } catch {
    return false;
  }
}

/**
 * Chooses the code paths for this process; warns where a fast path gives a wrong answer.
 *
 * @param shared whether the memory of compiled programs will be shared
 * @throws Error where there is no WebAssembly SIMD
 */
export function probeFeatures(shared: boolean, warn: (message: string) => void): Features {
  const relaxed = env('JIT_RELAXED') !== '0' && answersRight(true, shared);
  if (!relaxed && !answersRight(false, shared)) {
    throw new Error('tfjs-backend-jit needs WebAssembly SIMD: Chrome 91, Firefox 89, Safari 16.4 or Node 24, or later');
  }
  let wide = relaxed && enableRevectoriser();
  // 8,192 calls pass V8's tier-up budget, so that the packed code itself is what gets checked.
  if (wide && !answersRight(true, shared, 8192)) {
    warn('tfjs-backend-jit: the 256-bit revectoriser of this engine gives wrong results; using 128-bit kernels');
    wide = false;
  }
  return { relaxed, wide, shared };
}

const X = 1024;
const Y = 2048;
const Z = 4096;

/** A loop of `rounds` over pairs of vectors: z = x·y + x, through both halves. */
function probeModule(relaxed: boolean, shared: boolean): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.func('k', ['i32'], [], (f) => {
    const n = f.param(0);
    const at = f.local('i32');
    const halves = f.locals('v128', 4);
    f.loop((top) => {
      for (const h of [0, 1]) {
        f.set(halves[h], v128.load(at, X + 16 * h));
        f.set(halves[2 + h], v128.load(at, Y + 16 * h));
      }
      for (const h of [1, 0]) {
        const [x, y]: Expr[] = [halves[h], halves[2 + h]];
        const value = relaxed ? f32x4.relaxed_madd(x, y, x) : f32x4.add(f32x4.mul(x, y), x);
        f.push(v128.store(at, value, Z + 16 * h));
      }
      f.inc(at, 32);
      f.set(n, i32.sub(n, i32.const(1)));
      f.brIf(top, n);
    });
  });
  return m.encode(shared);
}

/** Runs the probe `calls` times; with enough of them the optimising compiler has taken over. */
function answersRight(relaxed: boolean, shared: boolean, calls = 1): boolean {
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(probeModule(relaxed, shared)), {
      env: { memory },
    });
    const k = instance.exports.k as (rounds: number) => void;
    const data = new Float32Array(memory.buffer);
    for (let i = 0; i < 256; i++) {
      data[X / 4 + i] = i - 100;
      data[Y / 4 + i] = 0.5 * i;
    }
    for (let call = 1; call <= calls; call++) {
      k(32);
      if (call % 256 !== 0 && call !== calls) continue;
      for (let i = 0; i < 256; i++) if (data[Z / 4 + i] !== (i - 100) * 0.5 * i + i - 100) return false;
    }
    return true;
  } catch {
    return false;
  }
}
