import assert from 'node:assert/strict';
import { test } from 'node:test';
import { augment } from './augment.ts';
import { cutMix } from './cut-mix.ts';
import { mixup } from './mixup.ts';
import { randomCrop } from './random-crop.ts';
import { randomFlip } from './random-flip.ts';
import { prepareTransforms, transformNames, transformOf, transformOptions } from './registry.ts';
import type { Transform } from './transform.ts';

const picture = { data: Uint8Array.from({ length: 64 }, (_, i) => i), height: 8, width: 8, channels: 1 };

test('transforms are plain data that survives JSON', () => {
  const transforms: Transform[] = [randomCrop({ padding: 2, fill: 'reflect' }), randomFlip()];
  const copy = JSON.parse(JSON.stringify(transforms)) as Transform[];
  assert.deepEqual(copy, transforms);
  for (let i = 0; i < 20; i++) {
    const [a, b] = [transforms, copy].map((list) => augment(picture, list, { seed: 7, index: i }).data);
    assert.deepEqual(a, b);
  }
});

test('a transform added at the end does not change what the others do', () => {
  const crop = [randomCrop()];
  const both = [randomCrop(), randomFlip({ probability: 0 })];
  for (let i = 0; i < 20; i++) {
    const at = { seed: 7, index: i };
    assert.deepEqual(augment(picture, crop, at).data, augment(picture, both, at).data);
  }
});

test('an empty list gives the picture back', () => {
  assert.equal(augment(picture, []), picture);
});

test('unknown names and impossible values are refused with the choices', () => {
  const unknown = [{ name: 'toString' } as unknown as Transform];
  assert.throws(() => prepareTransforms(unknown), {
    name: 'DataError',
    message: /'toString'; there are randomCrop, randomResizedCrop, /,
  });
  assert.throws(() => prepareTransforms([{ name: 'randomFlip', probability: 2 }]), { name: 'DataError' });
});

test('data from a file is completed, and unknown options are refused', () => {
  assert.deepEqual(transformOf({ name: 'randomCrop', padding: 2 }), { name: 'randomCrop', padding: 2, fill: 'zero' });
  assert.throws(() => transformOf({ name: 'randomCrop', pading: 2 }), {
    name: 'DataError',
    message: "randomCrop has no option 'pading'; there are padding, fill",
  });
  assert.throws(() => transformOf({ name: 'alternatingFlip', probability: 1 }), { message: /it has none/ });
  assert.throws(() => transformOf({ name: 'randomResizedCrop', scale: 0.5 }), { message: /scale must be two numbers/ });
});

test('every augmentation takes its own data back, with no option that it does not name', () => {
  for (const name of transformNames) {
    const made = transformOf({ name });
    assert.equal(made.name, name);
    assert.deepEqual(transformOf({ ...made }), made);
    for (const key of Object.keys(made))
      assert.ok(key === 'name' || transformOptions(name).includes(key), `${name}.${key}`);
  }
});

test('mixing a batch comes after all that is done to single pictures', () => {
  assert.throws(() => prepareTransforms([mixup(), randomCrop()]), {
    name: 'DataError',
    message: /randomCrop .* before/,
  });
  assert.equal(prepareTransforms([randomCrop(), mixup(), cutMix()]).mixers.length, 2);
});
