import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../data/random.ts';
import { WeightsError } from './errors.ts';
import { elementsOf, extentOf, rowMajor, toFloat16, toFloat32, WIDTHS } from './floats.ts';
import type { StoredType } from './tensor.ts';

/** What binary16 means, from its bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

describe('toFloat32', () => {
  const cases: readonly (readonly [StoredType, (view: DataView, little: boolean) => void, number])[] = [
    ['float64', (v, le) => v.setFloat64(0, 1 / 3, le), Math.fround(1 / 3)],
    ['float32', (v, le) => v.setFloat32(0, -1.25, le), -1.25],
    ['float16', (v, le) => v.setUint16(0, 0xc501, le), -5.00390625],
    ['bfloat16', (v, le) => v.setUint16(0, 0xbfa0, le), -1.25],
    ['int64', (v, le) => v.setBigInt64(0, -(2n ** 40n) - 512n * 1024n, le), -(2 ** 40) - 512 * 1024],
    ['int32', (v, le) => v.setInt32(0, -70000, le), -70000],
    ['int16', (v, le) => v.setInt16(0, -300, le), -300],
    ['int8', (v) => v.setInt8(0, -3), -3],
    ['uint64', (v, le) => v.setBigUint64(0, 2n ** 63n, le), 2 ** 63],
    ['uint32', (v, le) => v.setUint32(0, 0xfff00000, le), 0xfff00000],
    ['uint16', (v, le) => v.setUint16(0, 65000, le), 65000],
    ['uint8', (v) => v.setUint8(0, 200), 200],
    ['bool', (v) => v.setUint8(0, 7), 1],
  ];
  for (const [type, set, expected] of cases) {
    test(`${type}, both byte orders, at any offset`, () => {
      for (const little of [true, false]) {
        for (const offset of [0, 1]) {
          const bytes = new Uint8Array(offset + 2 * WIDTHS[type]).subarray(offset);
          set(new DataView(bytes.buffer, offset), little);
          assert.deepEqual(toFloat32(bytes, type, little), Float32Array.of(expected, 0));
        }
      }
    });
  }
  test('every float16 and bfloat16', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const bytes = new Uint8Array(all.buffer);
    assert.ok(toFloat32(bytes, 'float16').every((value, i) => Object.is(value, half(i))));
    const words = new Uint32Array(toFloat32(bytes, 'bfloat16').buffer);
    assert.ok(words.every((word, i) => word === i * 65536));
  });
  test('a piece of a number is refused', () => {
    assert.throws(() => toFloat32(new Uint8Array(7), 'float32'), /7 bytes are no whole number of float32 numbers/);
  });
});

describe('toFloat16', () => {
  test('every float16 comes back', () => {
    const all = Float32Array.from({ length: 65536 }, (_, i) => half(i));
    const bits = toFloat16(all, 'w');
    assert.ok(bits.every((bit, i) => bit === i || (Number.isNaN(all[i]) && Number.isNaN(half(bit)))));
  });
  test('rounds to the nearest, ties to even', () => {
    // Between neighbours a and b: just below the middle, the middle, just above it.
    const random = Random.at(3);
    for (let n = 0; n < 2000; n++) {
      const bits = random.integer(0x7bff);
      const [a, b] = [half(bits), half(bits + 1)];
      const middle = (a + b) / 2;
      const gap = (b - a) / 64;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const values = Float32Array.of(middle - gap, middle, middle + gap, -middle);
      assert.deepEqual([...toFloat16(values, 'w')], [bits, even, bits + 1, even | 0x8000]);
    }
  });
  test('what is too large is refused, infinity is not', () => {
    assert.deepEqual([...toFloat16(Float32Array.of(65519, -Infinity), 'w')], [0x7bff, 0xfc00]);
    assert.throws(() => toFloat16(Float32Array.of(1, -65520), 'conv1.weight'), {
      name: 'WeightsError',
      message: /conv1\.weight: -65520 is too large for float16/,
    });
  });
});

describe('views', () => {
  test('transposed, stepped, repeated and offset views in row-major order', () => {
    const stored = Float32Array.from({ length: 24 }, (_, i) => i);
    const at = (shape: number[], strides: number[], offset = 0) => {
      const length = extentOf({ shape, strides, offset }, stored.length, 'w');
      return [...rowMajor(stored.subarray(offset, offset + length), { shape, strides })];
    };
    assert.deepEqual(at([2, 3], [1, 2]), [0, 2, 4, 1, 3, 5]);
    assert.deepEqual(at([2, 2], [12, 2], 1), [1, 3, 13, 15]);
    assert.deepEqual(at([2, 3], [0, 1], 4), [4, 5, 6, 4, 5, 6]);
    assert.deepEqual(at([2, 2, 3], [1, 12, 4]), [0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21]);
    assert.deepEqual(at([], [], 7), [7]);
    assert.deepEqual(at([3, 0], [5, 5]), []);
    assert.deepEqual(at([1, 4], [99, 1], 20), [20, 21, 22, 23]);
  });
  test('a view that leaves its storage is refused', () => {
    const refuse = (shape: number[], strides: number[], offset: number, message: RegExp) =>
      assert.throws(
        () => extentOf({ shape, strides, offset }, 10, 'w'),
        (error) => {
          assert.ok(error instanceof WeightsError);
          assert.match(error.message, message);
          return true;
        },
      );
    refuse([11], [1], 0, /numbers 0 to 11 of a storage of 10/);
    refuse([2], [1], 9, /numbers 9 to 11/);
    refuse([2], [2 ** 53 - 1], 0, /storage of 10/);
    refuse([2], [-1], 5, /strides \[-1\]/);
    refuse([2, 2], [1], 0, /strides/);
    refuse([2 ** 31], [0], 0, /repeats 10 stored numbers/);
  });
  test('absurd shapes are refused', () => {
    assert.equal(elementsOf([3, 0, 5], 'w'), 0);
    assert.throws(() => elementsOf([2 ** 30, 2 ** 30, 0], 'w'), /absurd/);
    assert.throws(() => elementsOf([1.5], 'w'), /whole number/);
    assert.throws(() => elementsOf(Array(33).fill(1), 'w'), /absurd/);
  });
});
