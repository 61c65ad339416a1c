import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTransforms } from './parse.ts';
import { randAugment } from './rand-augment.ts';
import { randomCrop } from './random-crop.ts';
import { randomFlip } from './random-flip.ts';
import { randomResizedCrop } from './random-resized-crop.ts';

test('a line of names and options becomes data', () => {
  assert.deepEqual(parseTransforms('randomCrop( padding = 2, fill=reflect ) , randomFlip,randAugment()'), [
    randomCrop({ padding: 2, fill: 'reflect' }),
    randomFlip(),
    randAugment(),
  ]);
  assert.deepEqual(parseTransforms('randomResizedCrop(scale=[0.35,1])'), [randomResizedCrop({ scale: [0.35, 1] })]);
  assert.deepEqual(parseTransforms('  '), []);
});

test('what cannot be read is named', () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => parseTransforms(text), { name: 'DataError', message });
  refused('flip', /no augmentation is called 'flip'; there are randomCrop, /);
  refused('randomCrop(4)', /randomCrop: an option is written name=value, received '4'/);
  refused('randomCrop(padding=4', /received 'randomCrop\(padding=4'/);
  refused('randomCrop(name=randomFlip)', /randomCrop has no option 'name'/);
});
