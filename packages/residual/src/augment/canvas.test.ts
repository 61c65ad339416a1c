import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finishBatch } from '../data/produce.ts';
import { type Affine, aboutCentre, compose, mirrorColumns, mirrorRows, rotate, translate, zoom } from './affine.ts';
import { augment } from './augment.ts';
import { Canvas } from './canvas.ts';
import { brightness, hue, saturation } from './color.ts';
import { move } from './move.ts';
import { parseTransforms } from './parse.ts';
import { posterize, solarize } from './tables.ts';
import { scene } from './testing.ts';
import type { Edge, Picture, Step } from './transform.ts';
import { type Boundary, warp } from './warp.ts';

const picture = scene(13, 18);
const size = { height: 13, width: 18 };

function draw(steps: readonly Step[], on: Picture = picture): Picture {
  const canvas = new Canvas(on);
  for (const step of steps) canvas.add(step);
  return canvas.settle();
}

function warpStep(matrix: Affine, fillMode: Boundary = 'nearest'): Step {
  return { kind: 'warp', ...size, matrix, edge: { fillMode, cval: [1, 2, 3] } };
}

test('whole-pixel moves have the bits of the general warp, in every mode', () => {
  const maps = [
    translate(0, 0),
    translate(3, -5),
    translate(-20, 31),
    mirrorColumns(size),
    compose(translate(4, 2), mirrorColumns(size), mirrorRows(size)),
  ];
  for (const fillMode of ['nearest', 'reflect', 'wrap', 'constant', 'mirror'] as const) {
    const edge: Edge = { fillMode, cval: [1, 2, 3] };
    for (const map of maps) {
      for (const out of [size, { height: 5, width: 30 }]) {
        assert.deepEqual(move(picture, out, map, edge), warp(picture, out, map, edge));
      }
    }
  }
});

test('warps in a row are one warp: interpolated once, and nothing lost on the way', () => {
  const size = picture;
  const there = aboutCentre(compose(rotate(20), zoom(0.7)), size);
  const back = aboutCentre(compose(zoom(1 / 0.7), rotate(-20)), size);
  const joined = draw([warpStep(there), warpStep(back)]);
  // A map and its inverse are none: any pass in between would have blurred and cut off.
  assert.ok(joined.data.every((value, i) => Math.abs(value - picture.data[i]) <= 1));
  const apart = warp(warp(picture, size, there), size, back);
  assert.ok(apart.data.some((value, i) => Math.abs(value - picture.data[i]) > 20));
  const both = [translate(3, 0), mirrorColumns(size), translate(-1, 2)];
  assert.deepEqual(
    draw(both.map((map) => warpStep(map, 'wrap'))),
    warp(picture, size, compose(...both), { fillMode: 'wrap' }),
  );
});

test('warps that fill differently stay apart', () => {
  const [first, then] = [translate(4, 4), translate(-3, 0)];
  const black = warp(picture, size, first, { fillMode: 'constant', cval: [1, 2, 3] });
  assert.deepEqual(
    draw([warpStep(first, 'constant'), warpStep(then, 'nearest')]),
    warp(black, size, then, { fillMode: 'nearest' }),
  );
});

test('colour changes in a row are one matrix, clamped once; a mirror in between does not matter', () => {
  const colors = (matrix: readonly number[]): Step => ({ kind: 'color', matrix });
  const steps = [colors(brightness(3, 3)), colors(saturation(3, 0.5)), colors(brightness(3, 1 / 3))];
  const joined = draw(steps);
  const half = draw([colors(saturation(3, 0.5))]);
  assert.ok(
    joined.data.every((value, i) => Math.abs(value - half.data[i]) <= 1),
    'no value is cut at 255 in between',
  );
  const mirror: Step = { kind: 'warp', ...size, matrix: mirrorColumns(size) };
  assert.deepEqual(draw([steps[0], mirror, steps[1], steps[2]]), draw([mirror], joined));
});

test('tables, matrices, warps and patches keep their order', () => {
  const steps: Step[] = [
    { kind: 'color', matrix: brightness(3, 1.3) },
    { kind: 'table', tables: solarize(3, 128) },
    { kind: 'color', matrix: hue(3, 0.2) },
    { kind: 'table', tables: posterize(3, 3) },
    warpStep(translate(0.5, 1), 'constant'),
    { kind: 'patch', patch: (data) => data.fill(7, 0, 30) },
    { kind: 'color', matrix: brightness(3, 0.5) },
  ];
  const oneByOne = steps.reduce((seen, step) => draw([step], seen), picture as Picture);
  assert.deepEqual(draw(steps), oneByOne);
  assert.deepEqual(picture, scene(13, 18));
});

test('normalisation in the last pass gives what normalising the finished picture gives', () => {
  const lists = [
    'colorJitter(brightness=0.4,contrast=0.4,saturation=0.4,hue=0.2)',
    'colorJitter(brightness=0.4)',
    'randAugment(operations=4,magnitude=20)',
    'randomCrop,randomFlip,cutout(size=5)',
  ];
  const [height, width] = [13, 18];
  const normalize = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };
  const mean = normalize.mean.map((value) => value * 255);
  for (const text of lists) {
    for (let index = 0; index < 8; index++) {
      const transforms = parseTransforms(text);
      const indices = Int32Array.from([index]);
      const samples = { images: Uint8Array.from(picture.data), indices, requested: indices };
      const request = { indices, seed: 5, epoch: 1, transforms, normalize, corrupt: 'replace' } as const;
      const whole = augment(picture, transforms, { seed: 5, epoch: 1, index, mean });
      assert.deepEqual(
        finishBatch(samples, [height, width, 3], request).images,
        Float32Array.from(whole.data, (v, i) => (v / 255 - normalize.mean[i % 3]) / normalize.std[i % 3]),
      );
    }
  }
});

test('no augmentation stumbles over one channel, floats, or a single pixel', () => {
  const names =
    'randomCrop randomResizedCrop randomFlip alternatingFlip randomAffine(rotation=20) colorJitter(hue=0.2,contrast=0.5) randomGrayscale(probability=1) gaussianBlur(probability=1) cutout randomErasing(probability=1) randAugment trivialAugment augMix';
  for (const text of names.split(' ')) {
    for (const [height, width, channels] of [
      [6, 5, 1],
      [1, 1, 3],
      [1, 4, 1],
    ]) {
      const length = height * width * channels;
      for (const data of [
        Uint8Array.from({ length }, (_, i) => i * 9),
        Float32Array.from({ length }, (_, i) => i * 8.5),
      ]) {
        for (let index = 0; index < 12; index++) {
          const made = augment({ data, height, width, channels }, parseTransforms(text), { index });
          assert.equal(made.data.constructor, data.constructor);
          assert.deepEqual([made.height, made.width, made.channels], [height, width, channels]);
          assert.ok(
            made.data.every((value) => value >= 0 && value <= 255),
            text,
          );
        }
      }
    }
  }
});
