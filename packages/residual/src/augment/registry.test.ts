import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { randomCrop } from './random-crop.ts';
import { randomFlip } from './random-flip.ts';
import { prepareTransforms, transformNames } from './registry.ts';
import type { Transform } from './transform.ts';

const picture = { data: Uint8Array.from({ length: 64 }, (_, i) => i), height: 8, width: 8, channels: 1 };

test('transforms are plain data that survives JSON', () => {
  const transforms: Transform[] = [randomCrop({ padding: 2, fill: 'reflect' }), randomFlip()];
  const copy = JSON.parse(JSON.stringify(transforms)) as Transform[];
  assert.deepEqual(copy, transforms);
  for (let i = 0; i < 20; i++) {
    const [a, b] = [transforms, copy].map((list) => prepareTransforms(list)(picture, Random.at(7, i)).data);
    assert.deepEqual(a, b);
  }
});

test('a transform added at the end does not change what the others do', () => {
  const crop = prepareTransforms([randomCrop()]);
  const both = prepareTransforms([randomCrop(), randomFlip({ probability: 0 })]);
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(crop(picture, Random.at(7, i)).data, both(picture, Random.at(7, i)).data);
  }
});

test('an empty list gives the picture back', () => {
  assert.equal(prepareTransforms([])(picture, Random.at(0)), picture);
});

test('unknown names and impossible values are refused with the choices', () => {
  assert.deepEqual(transformNames, ['randomCrop', 'randomFlip']);
  const unknown = [{ name: 'toString' } as unknown as Transform];
  assert.throws(() => prepareTransforms(unknown), {
    name: 'DataError',
    message: /'toString'; there are randomCrop, randomFlip/,
  });
  assert.throws(() => prepareTransforms([{ name: 'randomFlip', probability: 2 }]), { name: 'DataError' });
});
