import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import type { Splits } from '../dataset.ts';
import { closeSplits } from '../dataset.ts';
import { encodeIdx } from '../idx.ts';
import { openData } from './open.ts';

test('openData knows what a path holds', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'residual-open-'));
  t.after(() => rm(root, { recursive: true }));
  const write = async (path: string, bytes: Uint8Array | string) => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), bytes);
  };
  const check = async (spec: string, expected: (splits: Splits) => unknown, value: unknown) => {
    const splits = await openData(spec, { validation: 0 });
    t.after(() => closeSplits(splits));
    assert.deepEqual(expected(splits), value, spec);
  };
  await check('fashion-mnist', ({ train }) => [train.size, train.name], [12000, 'fashion-mnist/train']);

  await write('digits/train-images-idx3-ubyte', encodeIdx([2, 5, 5], new Uint8Array(50)));
  await write('digits/train-labels-idx1-ubyte', encodeIdx([2], Uint8Array.from([0, 1])));
  await check(join(root, 'digits'), ({ imageShape, test: held }) => [imageShape, held], [[5, 5, 1], undefined]);

  await write('c100/cifar-100-binary/train.bin', new Uint8Array(3074 * 2));
  await write('c100/cifar-100-binary/test.bin', new Uint8Array(3074));
  await check(join(root, 'c100'), ({ classes, train }) => [classes.length, train.size], [100, 2]);

  for (const n of [1, 2, 3, 4, 5]) await write(`c10/data_batch_${n}.bin`, new Uint8Array(3073));
  await write('c10/test_batch.bin', new Uint8Array(3073));
  await check(join(root, 'c10'), ({ classes, train }) => [classes.length, train.size], [10, 5]);

  const png = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  await write('photos/cat/1.png', png);
  await write('photos/dog/1.png', png);
  await check(join(root, 'photos'), ({ classes, imageShape }) => [classes, imageShape], [
    ['cat', 'dog'],
    [224, 224, 3],
  ]);

  await write('python/cifar-10-batches-py/data_batch_1', 'pickle');
  await write('python/cifar-10-batches-py/test_batch', 'pickle');
  await mkdir(join(root, 'empty'));
  const choices = "'fashion-mnist' \\(embedded\\), a folder of images";
  for (const [path, message] of [
    ['nowhere', new RegExp(`^there is no data at .*nowhere: it may be ${choices}`)],
    ['c10/test_batch.bin', new RegExp(`test_batch.bin is a file: the data may be ${choices}`)],
    ['empty', new RegExp(`empty is empty: the data may be ${choices}`)],
    ['python', /this is the Python version, download the binary version$/],
  ] as const) {
    await assert.rejects(openData(join(root, path)), { name: 'DataError', message });
  }
});
