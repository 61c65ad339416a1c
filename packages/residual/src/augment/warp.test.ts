import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Picture } from './transform.ts';
import type { Affine, Boundary, FillMode } from './warp.ts';
import { aboutCentre, compose, mirrorColumns, mirrorRows, rotate, shear, translate, warp, zoom } from './warp.ts';

/** Written out beyond the edges by the picture of the rule: aaaa|abcd|dddd and so on, as far as `reach`. */
function extended(line: readonly number[], mode: Boundary, reach: number): (index: number) => number {
  let long: number[] = [...line];
  let origin = 0;
  while (origin < reach || long.length - origin - line.length < reach) {
    const first = long[0];
    const last = long[long.length - 1];
    const left: Record<Boundary, () => number[]> = {
      nearest: () => [first],
      constant: () => [-1],
      wrap: () => line.slice(),
      reflect: () => long.toReversed(),
      mirror: () => (long.length === 1 ? [first] : long.toReversed().slice(0, -1)),
    };
    const right: Record<Boundary, () => number[]> = {
      nearest: () => [last],
      constant: () => [-1],
      wrap: () => line.slice(),
      reflect: () => long.toReversed(),
      mirror: () => (long.length === 1 ? [last] : long.toReversed().slice(1)),
    };
    const [before, after] = [left[mode](), right[mode]()];
    long = [...before, ...long, ...after];
    origin += before.length;
  }
  return (index) => long[index + origin];
}

/** An affine map by 3×3 products in the other order of work, sampled as the definition says, one value at a time. */
function reference(
  picture: Picture,
  height: number,
  width: number,
  m: Affine,
  mode: Boundary,
  cval: number,
  smooth: boolean,
): number[] {
  const { data, channels: c } = picture;
  const rows = extended([...Array(picture.height).keys()], mode, 200);
  const columns = extended([...Array(picture.width).keys()], mode, 200);
  const value = (y: number, x: number, k: number) => {
    const [row, column] = [rows(y), columns(x)];
    return row < 0 || column < 0 ? cval : data[(row * picture.width + column) * c + k];
  };
  const out: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // The coordinates' last rounding is taken away: they are multiples of a millionth of a pixel.
      const [iy, ix] = [m[0] * y + m[1] * x + m[2], m[3] * y + m[4] * x + m[5]].map((v) => Math.round(v * 1e6) / 1e6);
      const inside = iy >= 0 && iy <= picture.height - 1 && ix >= 0 && ix <= picture.width - 1;
      for (let k = 0; k < c; k++) {
        if (mode === 'constant' && !inside) out.push(cval);
        else if (!smooth) out.push(value(Math.floor(iy + 0.5), Math.floor(ix + 0.5), k));
        else {
          let sum = 0;
          for (let p = Math.floor(iy); p <= Math.floor(iy) + 1; p++) {
            for (let q = Math.floor(ix); q <= Math.floor(ix) + 1; q++) {
              const weight = (1 - Math.abs(iy - p)) * (1 - Math.abs(ix - q));
              if (weight > 0) sum += weight * value(p, q, k);
            }
          }
          out.push(sum);
        }
      }
    }
  }
  return out;
}

function floats(height: number, width: number, channels: number): Picture {
  const length = height * width * channels;
  return { data: Float32Array.from({ length }, (_, i) => (i * 73 + 11) % 251), height, width, channels };
}

const modes: readonly Boundary[] = ['nearest', 'reflect', 'wrap', 'constant', 'mirror'];
const sizes: readonly [h: number, w: number, c: number, outHeight: number, outWidth: number][] = [
  [7, 5, 3, 7, 5],
  [4, 9, 1, 4, 9],
  [6, 6, 2, 5, 8],
  [1, 7, 3, 3, 7],
  [3, 1, 1, 4, 2],
];

for (const mode of modes) {
  for (const interpolation of ['nearest', 'bilinear'] as const) {
    test(`${mode}, ${interpolation}: agrees with an independent computation on odd and non-square sizes`, () => {
      for (const [h, w, c, outHeight, outWidth] of sizes) {
        const picture = floats(h, w, c);
        const size = { height: h, width: w };
        const maps: readonly Affine[] = [
          translate(0, 0),
          translate(2, -3),
          translate(-13, 17),
          translate(0.25, -1.5),
          aboutCentre(rotate(90), size),
          aboutCentre(rotate(33), size),
          aboutCentre(zoom(0.5, 2.25), size),
          aboutCentre(compose(rotate(-20), translate(1.5, -0.75), shear(14), zoom(1.2, 0.85)), size),
          compose(mirrorColumns(size), mirrorRows(size)),
        ];
        for (const map of maps) {
          const options = { fillMode: mode, cval: 77, interpolation };
          const got = warp(picture, { height: outHeight, width: outWidth }, map, options);
          const want = reference(picture, outHeight, outWidth, map, mode, 77, interpolation === 'bilinear');
          assert.deepEqual([got.height, got.width, got.channels], [outHeight, outWidth, c]);
          want.forEach((value, i) => {
            const difference = Math.abs(got.data[i] - value);
            assert.ok(difference < 1e-3, `${h}x${w}x${c} by ${map}: value ${i} is ${got.data[i]}, not ${value}`);
          });
        }
      }
    });
  }
}

test('the boundaries are the documented ones', () => {
  const picture = { data: Uint8Array.from([1, 2, 3, 4]), height: 1, width: 4, channels: 1 };
  const around = (fillMode: FillMode) =>
    [...warp(picture, { height: 1, width: 12 }, translate(0, -4), { fillMode, cval: 9 }).data].join('');
  assert.equal(around('nearest'), '111112344444');
  assert.equal(around('reflect'), '432112344321');
  assert.equal(around('wrap'), '123412341234');
  assert.equal(around('constant'), '999912349999');
});

test('a chain of maps shows what warping one after the other shows', () => {
  const picture = floats(9, 12, 2);
  const size = { height: 9, width: 12 };
  const whole = [mirrorColumns(size), translate(2, -1), mirrorRows(size), translate(-2, 1)];
  const options = { fillMode: 'wrap' } as const;
  const oneByOne = whole.reduce((seen, map) => warp(seen, size, map, options), picture as Picture);
  assert.deepEqual(warp(picture, size, compose(...whole), options).data, oneByOne.data);
});

test('directions: translation moves up and left, zoom above 1 shrinks, rotation keeps the centre', () => {
  const at = (y: number, x: number) => {
    const data = new Uint8Array(25);
    data[y * 5 + x] = 200;
    return { data, height: 5, width: 5, channels: 1 };
  };
  const size = { height: 5, width: 5 };
  assert.equal(warp(at(3, 2), size, translate(1, 2)).data[2 * 5 + 0], 200);
  assert.equal(warp(at(2, 4), size, aboutCentre(zoom(2), size)).data[2 * 5 + 3], 200);
  for (const degrees of [90, 17, -45]) {
    assert.equal(warp(at(2, 2), size, aboutCentre(rotate(degrees), size)).data[2 * 5 + 2], 200);
  }
  const turned = warp(at(0, 4), size, aboutCentre(rotate(90), size), { interpolation: 'nearest' });
  assert.equal(turned.data.indexOf(200), 24, 'the upper right corner goes to the lower right: clockwise');
});

test('quarter turns, shifts and flips are exact in bytes, in every mode', () => {
  const data = Uint8Array.from({ length: 7 * 7 * 3 }, (_, i) => (i * 37) % 256);
  const picture = { data, height: 7, width: 7, channels: 3 };
  for (const fillMode of modes) {
    let turned: Picture = picture;
    for (let i = 0; i < 4; i++) turned = warp(turned, picture, aboutCentre(rotate(90), picture), { fillMode });
    assert.deepEqual(turned.data, data);
  }
});

test('bytes are rounded to the nearest', () => {
  const picture = { data: Uint8Array.from([0, 3]), height: 1, width: 2, channels: 1 };
  const at = (x: number) => warp(picture, { height: 1, width: 1 }, translate(0, x)).data[0];
  assert.deepEqual([at(0.1), at(0.16), at(0.17), at(0.5), at(0.9)], [0, 0, 1, 2, 3]);
});

test('impossible arguments are refused', () => {
  const picture = floats(2, 2, 3);
  const run = (change: object, size = { height: 2, width: 2 }, map: Affine = translate(0, 0)) => {
    return () => warp(picture, size, map, change);
  };
  assert.throws(run({ fillMode: 'edge' }), { name: 'DataError', message: /nearest, reflect, wrap, constant.*'edge'/ });
  assert.throws(run({ interpolation: 'cubic' }), { name: 'DataError', message: /'cubic'/ });
  assert.throws(run({ cval: [1, 2] }), { name: 'DataError', message: /each of 3, received 1,2/ });
  assert.throws(run({ cval: Number.NaN }), { name: 'DataError' });
  assert.throws(run({}, { height: 0, width: 2 }), { name: 'DataError', message: /0 x 2/ });
  assert.throws(run({}, undefined, translate(Number.POSITIVE_INFINITY, 0)), { name: 'DataError', message: /finite/ });
});
