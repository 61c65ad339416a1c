import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTransforms } from './parse.ts';

/** An impossible value of each option of each augmentation, and what is said about it. */
const refused: readonly (readonly [text: string, message: string])[] = [
  ['randomCrop(padding=1.5)', 'randomCrop: padding must be a whole number from 0 up, received 1.5'],
  ['randomCrop(fill=mean)', "randomCrop: fill must be one of 'zero', 'reflect', received 'mean'"],
  [
    'randomResizedCrop(scale=[0.5,1.5])',
    'randomResizedCrop: scale must be two numbers from 0.0001 to 1, the smaller first, received 0.5, 1.5',
  ],
  [
    'randomResizedCrop(scale=[0.5])',
    'randomResizedCrop: scale must be two numbers from 0.0001 to 1, the smaller first, received 0.5',
  ],
  [
    'randomResizedCrop(ratio=[2,1])',
    'randomResizedCrop: ratio must be two numbers from 0.01 to 100, the smaller first, received 2, 1',
  ],
  [
    'randomResizedCrop(decodeSize=0)',
    'randomResizedCrop: decodeSize must be a whole number from 1 to 16384, received 0',
  ],
  ['randomFlip(probability=1.1)', 'randomFlip: probability must be from 0 to 1, received 1.1'],
  ['randomFlip(direction=up)', "randomFlip: direction must be one of 'horizontal', 'vertical', received 'up'"],
  ['alternatingFlip(probability=1)', "alternatingFlip has no option 'probability'; it has none"],
  ['randomAffine(rotation=181)', 'randomAffine: rotation must be from 0 to 180, received 181'],
  ['randomAffine(shift=[0.1,2])', 'randomAffine: shift must be from 0 to 1, received 2'],
  ['randomAffine(shift=[1,1,1])', 'randomAffine: shift must be one number or two, received 1,1,1'],
  ['randomAffine(shear=-1)', 'randomAffine: shear must be from 0 to 89, received -1'],
  ['randomAffine(zoom=1)', 'randomAffine: zoom must be from 0 to 0.99, received 1'],
  [
    'randomAffine(zoom=[0,1])',
    'randomAffine: zoom must be two numbers from 0.01 to 100, the smaller first, received 0, 1',
  ],
  [
    'randomAffine(fillMode=edge)',
    "randomAffine: fillMode must be one of 'nearest', 'reflect', 'wrap', 'constant', received 'edge'",
  ],
  ['randomAffine(cval=300)', "randomAffine: cval must be 'mean' or a number from 0 to 255, received 300"],
  [
    'randomAffine(interpolation=cubic)',
    "randomAffine: interpolation must be one of 'nearest', 'bilinear', received 'cubic'",
  ],
  ['randomAffine(probability=x)', "randomAffine: probability must be from 0 to 1, received 'x'"],
  ['colorJitter(brightness=-1)', 'colorJitter: brightness must be from 0 up, received -1'],
  [
    'colorJitter(contrast=[1.2,0.8])',
    'colorJitter: contrast must be two numbers from 0 up, the smaller first, received 1.2, 0.8',
  ],
  [
    'colorJitter(saturation=lots)',
    "colorJitter: saturation must be two numbers from 0 up, the smaller first, received 'lots'",
  ],
  ['colorJitter(hue=0.6)', 'colorJitter: hue must be from 0 to 0.5, received 0.6'],
  ['randomGrayscale(probability=2)', 'randomGrayscale: probability must be from 0 to 1, received 2'],
  [
    'gaussianBlur(sigma=[0,2])',
    'gaussianBlur: sigma must be two numbers from 0.01 to 100, the smaller first, received 0, 2',
  ],
  ['cutout(size=0)', 'cutout: size must be a whole number from 1 up, received 0'],
  ['cutout(holes=0)', 'cutout: holes must be a whole number from 1 to 1000, received 0'],
  ['cutout(fill=noise)', "cutout: fill must be 'mean' or a number from 0 to 255, received 'noise'"],
  [
    'randomErasing(scale=[0,0.3])',
    'randomErasing: scale must be two numbers from 0.0001 to 1, the smaller first, received 0, 0.3',
  ],
  ['randomErasing(fill=256)', "randomErasing: fill must be 'mean', 'noise' or a number from 0 to 255, received 256"],
  ['randAugment(operations=0)', 'randAugment: operations must be a whole number from 1 to 20, received 0'],
  ['randAugment(magnitude=31)', 'randAugment: magnitude must be a whole number from 0 to 30, received 31'],
  ['randAugment(cval=-1)', "randAugment: cval must be 'mean' or a number from 0 to 255, received -1"],
  [
    'trivialAugment(fillMode=zero)',
    "trivialAugment: fillMode must be one of 'nearest', 'reflect', 'wrap', 'constant', received 'zero'",
  ],
  ['augMix(severity=11)', 'augMix: severity must be from 1 to 10, received 11'],
  ['augMix(width=0)', 'augMix: width must be a whole number from 1 to 10, received 0'],
  ['augMix(depth=-1)', 'augMix: depth must be a whole number from 0 to 10, received -1'],
  ['augMix(alpha=0)', 'augMix: alpha must be from 0.01 to 100, received 0'],
  ['mixup(alpha=0)', 'mixup: alpha must be from 0.001 to 1000, received 0'],
  ['cutMix(probability=-1)', 'cutMix: probability must be from 0 to 1, received -1'],
];

for (const [text, message] of refused) {
  test(`${text} is refused`, () => {
    assert.throws(() => parseTransforms(text), { name: 'DataError', message });
  });
}
