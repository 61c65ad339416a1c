/** Matrix products against a float64 reference, over odd shapes, transposes and broadcasts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MatMulShape, matMul } from './matmul.ts';
import { ALL_FEATURES, normal, runRecipe } from './testing.ts';

function reference(s: MatMulShape, a: Float32Array, b: Float32Array): Float64Array {
  const out = new Float64Array(s.batch * s.m * s.n);
  for (let p = 0; p < s.batch; p++) {
    const a0 = s.batchA ? p * s.m * s.k : 0;
    const b0 = s.batchB ? p * s.k * s.n : 0;
    for (let i = 0; i < s.m; i++) {
      for (let j = 0; j < s.n; j++) {
        let sum = 0;
        for (let q = 0; q < s.k; q++) {
          const x = a[a0 + (s.transposeA ? q * s.m + i : i * s.k + q)];
          const y = b[b0 + (s.transposeB ? j * s.k + q : q * s.n + j)];
          sum += x * y;
        }
        out[(p * s.m + i) * s.n + j] = sum;
      }
    }
  }
  return out;
}

function check(s: MatMulShape): void {
  const a = normal((s.batchA ? s.batch : 1) * s.m * s.k, 1);
  const b = normal((s.batchB ? s.batch : 1) * s.k * s.n, 2);
  const expected = reference(s, a, b);
  const bound = 4e-6 * Math.sqrt(s.k);
  for (const features of ALL_FEATURES) {
    const [out] = runRecipe(matMul(s, features), [a, b], [{ size: expected.length, lane: 'f32' }]);
    let worst = 0;
    expected.forEach((x, i) => {
      const error = Math.abs(out[i] - x);
      if (!(error <= worst)) worst = error;
    });
    assert.ok(worst <= bound, `${JSON.stringify(s)} ${JSON.stringify(features)}: off by ${worst}`);
  }
}

const plain = { batch: 1, transposeA: false, transposeB: false, batchA: false, batchB: false };
const SIZES = [
  [1, 1, 1],
  [1, 512, 10],
  [7, 1, 5],
  [5, 3, 17],
  [6, 16, 16],
  [13, 37, 33],
  [97, 25, 8],
  [128, 40, 10],
  [145, 300, 24],
  [200, 64, 48],
  [3, 1100, 9],
] as const;

for (const transposeA of [false, true]) {
  for (const transposeB of [false, true]) {
    test(`matMul of one pair${transposeA ? ', a transposed' : ''}${transposeB ? ', b transposed' : ''}`, () => {
      for (const [m, k, n] of SIZES) check({ ...plain, m, k, n, transposeA, transposeB });
    });
  }
}

test('matMul over a batch, either side broadcast', () => {
  for (const batchA of [false, true]) {
    for (const batchB of [false, true]) {
      for (const transposeA of [false, true]) {
        check({ batch: 3, m: 10, k: 21, n: 18, transposeA, transposeB: !transposeA, batchA, batchB });
        check({ batch: 2, m: 150, k: 5, n: 3, transposeA, transposeB: false, batchA, batchB });
      }
    }
  }
});

test('a long inner dimension is summed in parts', () => {
  check({ ...plain, m: 4, k: 5000, n: 6, transposeA: true, transposeB: false });
  check({ ...plain, m: 4, k: 5000, n: 6, transposeA: false, transposeB: true });
});

test('infinities and NaN stay in their rows and columns', () => {
  const s = { ...plain, m: 7, k: 18, n: 19 };
  const a = normal(s.m * s.k, 3);
  const b = normal(s.k * s.n, 4);
  a[3 * s.k + 17] = Number.POSITIVE_INFINITY;
  b[4] = Number.NaN;
  for (const features of ALL_FEATURES) {
    const [out] = runRecipe(matMul(s, features), [a, b], [{ size: s.m * s.n, lane: 'f32' }]);
    for (let i = 0; i < s.m; i++) {
      for (let j = 0; j < s.n; j++) assert.equal(Number.isFinite(out[i * s.n + j]), i !== 3 && j !== 4, `${i},${j}`);
    }
  }
});
