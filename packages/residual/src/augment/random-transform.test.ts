import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DataError } from '../data/errors.ts';
import { Random } from '../data/random.ts';
import { augment } from './augment.ts';
import { parseTransforms } from './parse.ts';
import type { RandomTransformOptions, TransformParameters } from './random-transform.ts';
import { applyParameters, drawParameters, randomTransform } from './random-transform.ts';
import type { Picture } from './transform.ts';
import type { FillMode } from './warp.ts';

const STILL: TransformParameters = {
  theta: 0,
  tx: 0,
  ty: 0,
  shear: 0,
  zx: 1,
  zy: 1,
  flipHorizontal: false,
  flipVertical: false,
  channelShift: 0,
  brightness: 1,
};

function noise(height: number, width: number, channels: number, seed = 1): Picture {
  const random = Random.at(seed);
  return {
    data: Uint8Array.from({ length: height * width * channels }, () => random.integer(256)),
    height,
    width,
    channels,
  };
}

function grey(...rows: readonly (readonly number[])[]): Picture {
  return { data: Uint8Array.from(rows.flat()), height: rows.length, width: rows[0].length, channels: 1 };
}

function rowsOf({ data, width }: Picture): number[][] {
  return Array.from({ length: data.length / width }, (_, y) => Array.from(data.subarray(y * width, (y + 1) * width)));
}

const change = (picture: Picture, parameters: Partial<TransformParameters>, options: RandomTransformOptions = {}) =>
  applyParameters(picture, { ...STILL, ...parameters }, randomTransform(options));

/** What is at whole index `i` of a line of `size`, by the pictures of the documentation; undefined: `cval`. */
function placed(i: number, size: number, mode: FillMode): number | undefined {
  if (mode === 'constant') return i >= 0 && i < size ? i : undefined;
  let at = i;
  while (at < 0 || at >= size) {
    if (mode === 'nearest') at = at < 0 ? 0 : size - 1;
    else if (mode === 'wrap') at += at < 0 ? size : -size;
    else at = at < 0 ? -1 - at : 2 * size - 1 - at;
  }
  return at;
}

/** Step by step on each pixel's place, from the result back to the picture, with no matrix. */
function reference(picture: Picture, p: TransformParameters, mode: FillMode, cval: number): Float32Array {
  const { data, height, width, channels } = picture;
  const out = new Float32Array(data.length);
  const [cx, cy] = [width / 2 - 0.5, height / 2 - 0.5];
  const radians = (degrees: number) => (degrees / 180) * Math.PI;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let u = (p.flipHorizontal ? width - 1 - x : x) - cx;
      let v = (p.flipVertical ? height - 1 - y : y) - cy;
      [u, v] = [u * p.zx, v * p.zy];
      [u, v] = [u - Math.sin(radians(p.shear)) * v, Math.cos(radians(p.shear)) * v];
      [u, v] = [u + p.tx, v + p.ty];
      const [distance, angle] = [Math.hypot(u, v), Math.atan2(v, u) + radians(p.theta)];
      [u, v] = [distance * Math.cos(angle) + cx, distance * Math.sin(angle) + cy];
      const beyond = u < 0 || v < 0 || u > width - 1 || v > height - 1;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const row of [Math.floor(v), Math.floor(v) + 1]) {
          for (const column of [Math.floor(u), Math.floor(u) + 1]) {
            const weight = (1 - Math.abs(v - row)) * (1 - Math.abs(u - column));
            const [iy, ix] = [placed(row, height, mode), placed(column, width, mode)];
            sum += weight * (iy === undefined || ix === undefined ? 0 : data[(iy * width + ix) * channels + c]);
          }
        }
        out[(y * width + x) * channels + c] = mode === 'constant' && beyond ? cval : sum;
      }
    }
  }
  return out;
}

test('turn, shift, shear and zoom compose as Keras says, on odd and non-square sizes, for every fillMode', () => {
  const random = Random.at(3);
  let compared = 0;
  for (const [height, width, channels] of [
    [7, 11, 3],
    [12, 5, 1],
    [9, 9, 4],
    [1, 6, 1],
  ]) {
    const picture = noise(height, width, channels);
    for (const fillMode of ['nearest', 'reflect', 'wrap', 'constant'] as const) {
      for (let i = 0; i < 6; i++) {
        const parameters = {
          ...STILL,
          theta: random.uniform(-180, 180),
          tx: random.uniform(-8, 8),
          ty: random.uniform(-8, 8),
          shear: random.uniform(-60, 60),
          zx: random.uniform(0.4, 2),
          zy: random.uniform(0.4, 2),
          flipHorizontal: random.boolean(),
          flipVertical: random.boolean(),
        };
        const found = applyParameters(picture, parameters, randomTransform({ fillMode, cval: 99 })).data;
        const wanted = reference(picture, parameters, fillMode, 99);
        for (let k = 0; k < found.length; k++, compared++) {
          assert.ok(
            Math.abs(found[k] - wanted[k]) < 1e-3,
            `${fillMode} ${height}x${width}: ${found[k]} for ${wanted[k]}`,
          );
        }
      }
    }
  }
  assert.ok(compared > 10_000);
});

test('a width shift moves sideways and a height shift up or down, as their names say', () => {
  const picture = grey([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]);
  assert.deepEqual(rowsOf(change(picture, { tx: 1 })), [
    [2, 3, 4, 4],
    [6, 7, 8, 8],
    [10, 11, 12, 12],
  ]);
  assert.deepEqual(rowsOf(change(picture, { ty: -1 }, { fillMode: 'constant', cval: 7 })), [
    [7, 7, 7, 7],
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ]);
});

test('fillMode: what comes in at the edge', () => {
  const line = grey([1, 2, 3, 4]);
  const shifted = (fillMode: FillMode) => [...change(line, { tx: -3 }, { fillMode, cval: 9 }).data];
  assert.deepEqual(shifted('nearest'), [1, 1, 1, 1]);
  assert.deepEqual(shifted('reflect'), [3, 2, 1, 1]);
  assert.deepEqual(shifted('wrap'), [2, 3, 4, 1]);
  assert.deepEqual(shifted('constant'), [9, 9, 9, 1]);
});

test('a zoom of 2 shows twice as much, of a half half as much', () => {
  const line = grey([0, 10, 20, 30, 40]);
  assert.deepEqual([...change(line, { zx: 2 }).data], [0, 0, 20, 40, 40]);
  assert.deepEqual([...change(line, { zx: 0.5 }).data], [10, 15, 20, 25, 30]);
});

test('interpolationOrder 0 takes the nearest pixel', () => {
  const line = grey([0, 10, 20, 30, 40]);
  assert.deepEqual([...change(line, { tx: 0.25 }, { interpolationOrder: 0 }).data], [0, 10, 20, 30, 40]);
  assert.deepEqual([...change(line, { tx: 0.25 }).data], [2.5, 12.5, 22.5, 32.5, 40]);
});

test('flips mirror exactly', () => {
  const picture = grey([1, 2, 3], [4, 5, 6]);
  assert.deepEqual(rowsOf(change(picture, { flipHorizontal: true })), [
    [3, 2, 1],
    [6, 5, 4],
  ]);
  assert.deepEqual(rowsOf(change(picture, { flipVertical: true })), [
    [4, 5, 6],
    [1, 2, 3],
  ]);
});

test('a channel shift stays within the picture’s own extremes', () => {
  assert.deepEqual([...change(grey([10, 100, 200]), { channelShift: 30 }).data], [40, 130, 200]);
  assert.deepEqual([...change(grey([10, 100, 200]), { channelShift: -30 }).data], [10, 70, 170]);
});

test('brightness multiplies and clips, on the scale of bytes, of 0 to 1, and beyond', () => {
  assert.deepEqual([...change(grey([10, 100, 200]), { brightness: 1.5 }).data], [15, 150, 255]);
  const unit = { data: Float32Array.of(0, 0.25, 1), height: 1, width: 3, channels: 1 };
  assert.deepEqual([...change(unit, { brightness: 0.5 }).data], [0, 0.125, 0.5]);
  // −1 … 1 is brought to 0 … 255 and back: 0 is its middle.
  const signed = { data: Float32Array.of(-1, 0, 1), height: 1, width: 3, channels: 1 };
  assert.deepEqual([...change(signed, { brightness: 0.5 }).data], [-1, -0.5, 0]);
  assert.deepEqual([...change(signed, { brightness: 4 }).data], [-1, 1, 1]);
});

const draws = (options: RandomTransformOptions, name: keyof TransformParameters, count = 4000) =>
  Array.from(
    { length: count },
    (_, i) => drawParameters(randomTransform(options), 40, 80, Random.at(5, i))[name] as number,
  );

function mustSpan(values: readonly number[], lowest: number, highest: number): void {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const near = (highest - lowest) / 100;
  assert.ok(low >= lowest && low < lowest + near, `lowest ${low}, not ${lowest}`);
  assert.ok(high <= highest && high > highest - near, `highest ${high}, not ${highest}`);
}

test('ranges: degrees, parts of the size, pixels, factors', () => {
  mustSpan(draws({ rotationRange: 20 }, 'theta'), -20, 20);
  mustSpan(draws({ shearRange: 15 }, 'shear'), -15, 15);
  mustSpan(draws({ widthShiftRange: 0.2 }, 'tx'), -16, 16);
  mustSpan(draws({ heightShiftRange: 0.2 }, 'ty'), -8, 8);
  mustSpan(draws({ widthShiftRange: 2.5 }, 'tx'), -2.5, 2.5);
  mustSpan(draws({ zoomRange: 0.2 }, 'zx'), 0.8, 1.2);
  mustSpan(draws({ zoomRange: [0.5, 0.75] }, 'zy'), 0.5, 0.75);
  mustSpan(draws({ channelShiftRange: 50 }, 'channelShift'), -50, 50);
  mustSpan(draws({ brightnessRange: [0.2, 1] }, 'brightness'), 0.2, 1);
});

test('a whole shift draws whole pixels below it, a list one of its values, either way', () => {
  const set = (range: number | readonly number[]) =>
    [...new Set(draws({ widthShiftRange: range }, 'tx').map((x) => x + 0))].sort((a, b) => a - b);
  assert.deepEqual(set(3), [-2, -1, 0, 1, 2]);
  assert.deepEqual(set(1), [0]);
  assert.deepEqual(set([4, 9]), [-9, -4, 4, 9]);
  assert.deepEqual(set([0.25, 0.5]), [-40, -20, 20, 40]);
});

test('both axes are zoomed by themselves, and half of the pictures are flipped', () => {
  const settings = randomTransform({ zoomRange: 0.5, horizontalFlip: true, verticalFlip: true });
  const all = Array.from({ length: 2000 }, (_, i) => drawParameters(settings, 8, 8, Random.at(1, i)));
  assert.ok(all.every(({ zx, zy }) => zx !== zy));
  for (const name of ['flipHorizontal', 'flipVertical'] as const) {
    const share = all.filter((parameters) => parameters[name]).length / all.length;
    assert.ok(share > 0.45 && share < 0.55, `${name} ${share}`);
  }
  const both = all.filter(({ flipHorizontal, flipVertical }) => flipHorizontal && flipVertical).length / all.length;
  assert.ok(both > 0.2 && both < 0.3);
});

test('each parameter has a stream of its own: another argument changes nothing that it draws', () => {
  const alone = draws({ rotationRange: 20 }, 'theta', 20);
  assert.deepEqual(
    draws({ rotationRange: 20, zoomRange: 0.2, horizontalFlip: true, widthShiftRange: 3 }, 'theta', 20),
    alone,
  );
});

test('without arguments a picture comes back as it is, and the input is never changed', () => {
  const picture = noise(6, 5, 3);
  const copy = picture.data.slice();
  assert.equal(augment(picture, [randomTransform()]), picture);
  const all = randomTransform({ rotationRange: 90, channelShiftRange: 9, brightnessRange: [0.1, 2], zoomRange: 0.5 });
  const changed = augment(picture, [all]);
  assert.deepEqual(picture.data, copy);
  assert.ok(changed.data instanceof Float32Array);
  assert.deepEqual([changed.height, changed.width, changed.channels], [6, 5, 3]);
});

test('it is plain data: by JSON and the registry, the same picture', () => {
  const transform = randomTransform({
    rotationRange: 20,
    zoomRange: 0.2,
    horizontalFlip: true,
    brightnessRange: [0.5, 1],
  });
  const copy = JSON.parse(JSON.stringify(transform)) as typeof transform;
  const picture = noise(9, 13, 3);
  for (let i = 0; i < 5; i++) {
    const [a, b] = [transform, copy].map((t) => augment(picture, [t], { seed: 2, index: i }).data);
    assert.deepEqual(a, b);
    assert.notDeepEqual([...a], [...picture.data]);
  }
  const [parsed] = parseTransforms(
    'randomTransform(rotationRange=20,zoomRange=0.2,horizontalFlip=true,brightnessRange=[0.5,1])',
  );
  assert.deepEqual(parsed, transform);
});

test('impossible values are named', () => {
  const cases: readonly [options: object, message: RegExp][] = [
    [{ rotationRange: -1 }, /rotationRange must be from 0 to 360, received -1$/],
    [{ rotationRange: Number.NaN }, /rotationRange .*received NaN$/],
    [{ shearRange: 90 }, /shearRange must be from 0 to 89, received 90$/],
    [{ zoomRange: 1 }, /zoomRange must be from 0 to 0.99, received 1$/],
    [{ zoomRange: -0.5 }, /zoomRange/],
    [
      { zoomRange: [1.2, 0.8] },
      /zoomRange must be two numbers from 0.01 to 100, the smaller first, received 1.2, 0.8$/,
    ],
    [{ zoomRange: [0, 1] }, /zoomRange/],
    [{ zoomRange: [1, 2, 3] }, /zoomRange/],
    [{ widthShiftRange: -0.1 }, /widthShiftRange must be from 0 up, received -0.1$/],
    [{ heightShiftRange: [] }, /heightShiftRange must be a number from 0 up or a list of numbers, received \[\]$/],
    [{ channelShiftRange: -5 }, /channelShiftRange must be from 0 up, received -5$/],
    [
      { brightnessRange: [1, 0.5] },
      /brightnessRange must be two numbers from 0 up, the smaller first, received 1, 0.5$/,
    ],
    [{ brightnessRange: [-1, 1] }, /brightnessRange/],
    [{ brightnessRange: 0.2 }, /brightnessRange/],
    [{ fillMode: 'mirror' }, /fillMode must be one of 'nearest', 'reflect', 'wrap', 'constant', received 'mirror'$/],
    [{ cval: Number.POSITIVE_INFINITY }, /cval must be a finite number, received Infinity$/],
    [{ horizontalFlip: 1 }, /horizontalFlip must be true or false, received 1$/],
    [{ interpolationOrder: 3 }, /interpolationOrder must be 0 \(nearest\) or 1 \(bilinear\), received 3$/],
  ];
  for (const [options, message] of cases) {
    assert.throws(
      () => randomTransform(options),
      (error) =>
        error instanceof DataError && message.test(error.message) && error.message.startsWith('randomTransform: '),
      JSON.stringify(options),
    );
  }
});
