/**
 * Copies and fills of floats, as functions of their own: scalar code inside a hot function would keep the
 * revectoriser away from it.
 */
import { call, f32, i32, type ModuleBuilder, v128 } from '../wasm/assembler.ts';

/** Indices of the three functions below. */
export interface Copies {
  readonly copyFloats: number;
  readonly copyRows: number;
  readonly zeroFloats: number;
}

export function emitCopies(m: ModuleBuilder): Copies {
  const copyFloats = emitCopyFloats(m);
  return { copyFloats, copyRows: emitCopyRows(m, copyFloats), zeroFloats: emitZeroFloats(m) };
}

/** Emits `copy(to, from, floats)`. */
function emitCopyFloats(m: ModuleBuilder): number {
  return m.func(null, ['i32', 'i32', 'i32'], [], (f) => {
    const [to, from, floats] = f.params;
    const end = f.local('i32');
    const v = f.locals('v128', 4);
    for (const vectors of [4, 1]) {
      f.set(end, i32.add(to, i32.shl(i32.and(floats, i32.const(-4 * vectors)), i32.const(2))));
      f.for(to, to, end, 16 * vectors, () => {
        for (let j = 0; j < vectors; j++) f.set(v[j], v128.load(from, j * 16));
        for (const j of [1, 0, 3, 2].slice(0, vectors === 1 ? 0 : 4)) f.push(v128.store(to, v[j], j * 16));
        if (vectors === 1) f.push(v128.store(to, v[0]));
        f.inc(from, 16 * vectors);
      });
      f.set(floats, i32.and(floats, i32.const(4 * vectors - 1)));
    }
    f.set(end, i32.add(to, i32.shl(floats, i32.const(2))));
    f.for(to, to, end, 4, () => {
      f.push(f32.store(to, f32.load(from)));
      f.inc(from, 4);
    });
  });
}

/** Emits `zero(to, floats)`. */
function emitZeroFloats(m: ModuleBuilder): number {
  return m.func(null, ['i32', 'i32'], [], (f) => {
    const [to, floats] = f.params;
    const end = f.local('i32');
    f.set(end, i32.add(to, i32.shl(i32.and(floats, i32.const(-8)), i32.const(2))));
    f.for(to, to, end, 32, () => {
      f.push(v128.store(to, v128.const_f32x4(0), 16));
      f.push(v128.store(to, v128.const_f32x4(0)));
    });
    f.set(end, i32.add(to, i32.shl(i32.and(floats, i32.const(7)), i32.const(2))));
    f.for(to, to, end, 4, () => f.push(f32.store(to, f32.const(0))));
  });
}

/** Emits `copyRows(to, from, rows, floats, toStride, fromStride)`: `rows` runs of `floats`, the strides in bytes. */
function emitCopyRows(m: ModuleBuilder, copyFloats: number): number {
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [to, from, rows, floats, toStride, fromStride] = f.params;
    const row = f.local('i32');
    f.for(row, 0, rows, 1, () => {
      f.push(call(copyFloats, to, from, floats));
      f.inc(to, toStride);
      f.inc(from, fromStride);
    });
  });
}
