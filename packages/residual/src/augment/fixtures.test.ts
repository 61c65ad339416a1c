/** What each augmentation does to a picture, as PNG files beside this test: the picture itself, then four draws. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchRequest } from '../data/dataset.ts';
import { finishBatch } from '../data/produce.ts';
import { augment } from './augment.ts';
import { Canvas } from './canvas.ts';
import type { OperationName } from './operations.ts';
import { operation, operationNames } from './operations.ts';
import { parseTransforms } from './parse.ts';
import { transformNames } from './registry.ts';
import { distanceToFixture, scene, strip } from './testing.ts';
import type { Picture } from './transform.ts';

/** Strong settings, so that the change can be seen. */
const cases: Readonly<Record<string, string>> = {
  randomCrop: 'randomCrop(padding=9)',
  'randomCrop-reflect': 'randomCrop(padding=9,fill=reflect)',
  randomResizedCrop: 'randomResizedCrop(scale=[0.1,0.6])',
  randomFlip: 'randomFlip',
  'randomFlip-vertical': 'randomFlip(direction=vertical)',
  alternatingFlip: 'alternatingFlip',
  'randomAffine-nearest': 'randomAffine(rotation=30,shift=0.2,shear=15,zoom=0.3)',
  'randomAffine-reflect': 'randomAffine(rotation=30,shift=0.2,shear=15,zoom=0.3,fillMode=reflect)',
  'randomAffine-wrap': 'randomAffine(rotation=30,shift=0.2,shear=15,zoom=0.3,fillMode=wrap)',
  'randomAffine-constant': 'randomAffine(rotation=30,shift=0.2,shear=15,zoom=0.3,fillMode=constant,cval=mean)',
  'randomTransform-rotation': 'randomTransform(rotationRange=40)',
  'randomTransform-width': 'randomTransform(widthShiftRange=0.4)',
  'randomTransform-height': 'randomTransform(heightShiftRange=15)',
  'randomTransform-shear': 'randomTransform(shearRange=40)',
  'randomTransform-zoom': 'randomTransform(zoomRange=0.5)',
  'randomTransform-channel': 'randomTransform(channelShiftRange=100)',
  'randomTransform-brightness': 'randomTransform(brightnessRange=[0.3,1.7])',
  'randomTransform-flips': 'randomTransform(horizontalFlip=true,verticalFlip=true)',
  'randomTransform-reflect': 'randomTransform(rotationRange=40,widthShiftRange=0.4,fillMode=reflect)',
  'randomTransform-wrap': 'randomTransform(rotationRange=40,widthShiftRange=0.4,fillMode=wrap)',
  'randomTransform-constant': 'randomTransform(rotationRange=40,widthShiftRange=0.4,fillMode=constant,cval=128)',
  'randomTransform-order': 'randomTransform(rotationRange=40,interpolationOrder=0)',
  'randomTransform-guide':
    'randomTransform(rotationRange=20,widthShiftRange=0.2,heightShiftRange=0.2,shearRange=0.2,zoomRange=0.2,horizontalFlip=true)',
  'colorJitter-brightness': 'colorJitter(brightness=0.6)',
  'colorJitter-contrast': 'colorJitter(contrast=0.8)',
  'colorJitter-saturation': 'colorJitter(saturation=1)',
  'colorJitter-hue': 'colorJitter(hue=0.5)',
  colorJitter: 'colorJitter(brightness=0.4,contrast=0.4,saturation=0.4,hue=0.1)',
  randomGrayscale: 'randomGrayscale(probability=0.5)',
  gaussianBlur: 'gaussianBlur(sigma=[0.5,3],probability=1)',
  cutout: 'cutout(size=14,holes=2)',
  randomErasing: 'randomErasing(probability=1)',
  'randomErasing-noise': 'randomErasing(probability=1,fill=noise)',
  randAugment: 'randAugment(operations=2,magnitude=20)',
  trivialAugment: 'trivialAugment(fillMode=reflect)',
  augMix: 'augMix(severity=8)',
};

for (const [name, text] of Object.entries(cases)) {
  test(`${text} does what its fixture shows`, async () => {
    const picture = scene();
    const transforms = parseTransforms(text);
    const draws = [0, 1, 2, 3].map((index) => augment(picture, transforms, { seed: 2, index }));
    assert.deepEqual(picture, scene(), 'the picture itself is left alone');
    assert.ok(draws.some((draw) => draw !== picture));
    // The last place of sines and powers is not promised by JavaScript: a rounding may fall the other way.
    assert.ok((await distanceToFixture(name, strip([picture, ...draws]))) <= 1);
    const again = augment(picture, JSON.parse(JSON.stringify(transforms)), { seed: 2, index: 3 });
    assert.deepEqual(again, draws[3], 'the same seed gives the same picture');
  });
}

test('each operation of the automatic augmentations does what its fixture shows', async () => {
  const amounts: { readonly [N in OperationName]: number } = {
    identity: 0,
    shearX: 0.4,
    shearY: -0.4,
    translateX: 12,
    translateY: -7.5,
    rotate: 25,
    brightness: 0.5,
    color: -0.8,
    contrast: 0.9,
    sharpness: 0.9,
    posterize: 2,
    solarize: 128,
    autoContrast: 0,
    equalize: 0,
  };
  const picture = scene();
  const faint = { ...picture, data: picture.data.map((value) => 90 + value / 3) };
  const draws = operationNames.map((name) => {
    const canvas = new Canvas(name === 'autoContrast' || name === 'equalize' ? faint : picture);
    const edge = { fillMode: 'constant', cval: [127, 127, 127] } as const;
    for (const step of operation(name, amounts[name], picture, edge)) canvas.add(step);
    return canvas.settle();
  });
  assert.equal(draws[0], picture);
  assert.ok((await distanceToFixture('operations', strip(draws))) <= 1);
});

for (const text of ['mixup(alpha=1)', 'cutMix']) {
  test(`${text} does what its fixture shows`, async () => {
    const { height, width, channels, data } = scene();
    const turned = augment(
      { height, width, channels, data },
      parseTransforms('colorJitter(hue=[0.5,0.5]),randomFlip(probability=1)'),
    );
    const pictures = [data, turned.data, data.map((v) => 255 - v), data.toReversed()];
    const indices = Int32Array.from(pictures.keys());
    const request: BatchRequest = {
      indices,
      seed: 3,
      epoch: 0,
      transforms: parseTransforms(text),
      normalize: { mean: [0, 0, 0], std: [1, 1, 1] },
      corrupt: 'replace',
    };
    const images = Uint8Array.from(pictures.flatMap((picture) => [...picture]));
    const batch = finishBatch({ images, indices, requested: indices }, [height, width, channels], request);
    const mixed = pictures.map((_, i): Picture => {
      const values = batch.images.subarray(i * data.length, (i + 1) * data.length);
      return { data: Uint8Array.from(values, (value) => Math.round(value * 255)), height, width, channels };
    });
    assert.ok((await distanceToFixture(transforms(text), strip(mixed))) <= 1);
  });
}

function transforms(text: string): string {
  return parseTransforms(text)[0].name;
}

test('every augmentation has a fixture', () => {
  const shown = [...Object.values(cases), 'mixup', 'cutMix'].map(transforms);
  assert.deepEqual(
    transformNames.filter((name) => !shown.includes(name)),
    [],
  );
});
