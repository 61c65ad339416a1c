import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelNames } from '../../models/registry.ts';
import { WeightsError } from '../errors.ts';
import { entryKey, fileNameOf, weightsCache } from '../node/cache-folder.ts';
import { weightsEntries } from './entries.ts';
import { findWeights, nearestWeights, weightsNames } from './find.ts';
import { imagenetClasses, imagenetSynsets } from './imagenet-classes.ts';
import { classesOf, preprocessingOf } from './preprocessing.ts';

test('names are unique, and found in any case', () => {
  const names = weightsNames();
  assert.equal(new Set(names.map((name) => name.toLowerCase())).size, names.length);
  for (const name of names) assert.ok(findWeights(name.toUpperCase()) !== undefined);
  assert.equal(findWeights('torchvision')?.name, 'torchvision/resnet18');
  assert.equal(findWeights('timm/a1')?.name, 'timm/resnet18.a1_in1k');
  assert.equal(findWeights('timm'), undefined);
  assert.equal(nearestWeights('torchvison'), 'torchvision');
  assert.equal(nearestWeights('something else'), undefined);
});

for (const entry of weightsEntries) {
  test(`${entry.name} is well described`, () => {
    const { url, file, size, sha256, md5, architecture, preprocessing, accuracy } = entry;
    assert.ok(modelNames.includes(architecture), architecture);
    assert.match(file, /^[\w.-]+\.(pth|safetensors|h5)$/);
    assert.match(entryKey(entry), /^[\w.-]+$/);
    if (url !== undefined) {
      assert.equal(new URL(url).protocol, 'https:');
      assert.ok(url.endsWith(`/${file}`));
      assert.ok(sha256 !== undefined || md5 !== undefined, 'what is downloaded can be checked');
    }
    assert.match(sha256 ?? '00000000', /^[0-9a-f]{8,64}$/);
    assert.match(md5 ?? '0'.repeat(32), /^[0-9a-f]{32}$/);
    // torch.hub's convention: the name ends in the first eight digits of the checksum.
    const prefix = /-([0-9a-f]{8})\.pth$/.exec(file)?.[1];
    if (entry.format === 'pytorch') assert.ok(prefix !== undefined && sha256?.startsWith(prefix), file);
    // Four bytes for each of 11,689,512 parameters and 9,600 moving averages, and little more.
    if (architecture === 'resnet18' && size !== undefined && !entry.preactivation && entry.classes === 'imagenet-1k') {
      assert.ok(size > 46_796_448 && size < 46_900_000, `${size}`);
    }
    if (accuracy !== undefined) assert.ok(accuracy.top1 > 50 && accuracy.top1 < 100);
    assert.equal(preprocessing.mean.length, preprocessing.channels);
    assert.equal(preprocessing.std.length, preprocessing.channels);
  });
}

test('preprocessing: the published one, at any size', () => {
  const torchvision = findWeights('torchvision');
  assert.ok(torchvision !== undefined);
  assert.deepEqual(preprocessingOf(torchvision), {
    inputShape: [224, 224, 3],
    resize: 'cover',
    crop: 0.875,
    interpolation: 'bilinear',
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  });
  assert.deepEqual(preprocessingOf(torchvision, [96, 128, 3]).inputShape, [96, 128, 3]);
  assert.throws(
    () => preprocessingOf(torchvision, [28, 28, 1]),
    (error) => error instanceof WeightsError && /takes pictures of 3 channels .* the model has 1$/.test(error.message),
  );
  // qubvel's network takes bytes as they are.
  const qubvel = findWeights('qubvel/resnet18');
  assert.ok(qubvel !== undefined);
  const { mean, std } = preprocessingOf(qubvel);
  for (const byte of [0, 1, 128, 255]) assert.ok(Math.abs((byte / 255 - mean[0]) / std[0] - byte) < 1e-9);
});

test('ImageNet has 1,000 classes with different names, in the order of their identifiers', () => {
  assert.equal(imagenetClasses.length, 1000);
  assert.equal(new Set(imagenetClasses).size, 1000);
  assert.ok(imagenetSynsets.every((id) => /^n\d{8}$/.test(id)));
  assert.deepEqual(imagenetSynsets, imagenetSynsets.toSorted());
  assert.ok(imagenetClasses.every((name) => name.trim() === name && name !== ''));
  // Known places, as torchvision's own list has them.
  for (const [index, id, name] of [
    [0, 'n01440764', 'tench'],
    [134, 'n02012849', 'crane bird'],
    [207, 'n02099601', 'golden retriever'],
    [281, 'n02123045', 'tabby'],
    [517, 'n03126707', 'crane'],
    [639, 'n03710721', 'tank suit'],
    [999, 'n15075141', 'toilet tissue'],
  ] as const) {
    assert.deepEqual([imagenetSynsets[index], imagenetClasses[index]], [id, name]);
  }
  assert.equal(classesOf({ classes: 'imagenet-1k' }), imagenetClasses);
  assert.equal(classesOf({ classes: 'fashion-mnist' }).length, 10);
});

test('the cache lies where each system keeps what can be had again', () => {
  const end = 'residual/weights';
  assert.equal(weightsCache({ XDG_CACHE_HOME: '/c' }, 'linux', '/home/u'), `/c/${end}`);
  assert.equal(weightsCache({ XDG_CACHE_HOME: 'not/absolute' }, 'linux', '/home/u'), `/home/u/.cache/${end}`);
  assert.equal(weightsCache({}, 'linux', '/home/u'), `/home/u/.cache/${end}`);
  assert.equal(weightsCache({}, 'darwin', '/Users/u'), `/Users/u/Library/Caches/${end}`);
  const local = 'C:\\Users\\u\\AppData\\Local';
  assert.equal(weightsCache({ LOCALAPPDATA: local }, 'win32', 'C:\\Users\\u'), `${local}\\residual\\weights`);
  assert.equal(weightsCache({}, 'win32', 'C:\\Users\\u'), `${local}\\residual\\weights`);
});

test('file names from URLs hold nothing that means something', () => {
  const name = (path: string) => fileNameOf(new URL(path, 'https://x.org'));
  assert.equal(name('/a/resnet18-f37072fd.pth?download=true'), 'resnet18-f37072fd.pth');
  assert.equal(name('/a/%2e%2e%2fb'), '___b');
  assert.equal(name('/'), 'weights');
  assert.equal(name('/NUL.pth'), '_NUL.pth');
  assert.equal(name('/end...'), 'end');
});
