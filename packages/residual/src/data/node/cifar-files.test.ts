import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { closeSplits } from '../dataset.ts';
import { cifar10, cifar100 } from './cifar-files.ts';

async function makeFolder(t: TestContext, files: Record<string, Uint8Array | string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'residual-cifar-'));
  t.after(() => rm(root, { recursive: true }));
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(root, name), bytes);
  return root;
}

/** Records with the given labels, whose red, green and blue planes are filled with label, 100 + label, 200 + label. */
function records(labels: readonly number[], coarse: boolean): Uint8Array {
  const plane = (value: number) => Array(1024).fill(value);
  return Uint8Array.from(
    labels.flatMap((label) => [
      ...(coarse ? [19] : []),
      label,
      ...plane(label),
      ...plane(100 + label),
      ...plane(200 + label),
    ]),
  );
}

const cifar10Files = () =>
  Object.fromEntries([
    ...[1, 2, 3, 4, 5].map((n) => [`data_batch_${n}.bin`, records([n, 9, 0, n], false)] as const),
    ['test_batch.bin', records([3, 8], false)] as const,
  ]);

test('CIFAR-10: batches in their order, classes built in or from the meta file', async (t) => {
  const splits = await cifar10(await makeFolder(t, cifar10Files()), { validation: 0 });
  t.after(() => closeSplits(splits));
  assert.deepEqual(splits.imageShape, [32, 32, 3]);
  assert.deepEqual([splits.classes[0], splits.classes[9]], ['airplane', 'truck']);
  assert.deepEqual(
    [...splits.train.labels],
    [1, 2, 3, 4, 5].flatMap((n) => [n, 9, 0, n]),
  );
  assert.deepEqual([...(splits.test?.labels ?? [])], [3, 8]);
  const { images } = await splits.train.read([4]);
  assert.deepEqual([...images.subarray(0, 6)], [2, 102, 202, 2, 102, 202]);
  const named = await cifar10(
    await makeFolder(t, { ...cifar10Files(), 'batches.meta.txt': 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n' }),
  );
  t.after(() => closeSplits(named));
  assert.deepEqual(named.classes, [...'abcdefghij']);
});

test('CIFAR-100: fine labels and their hundred names', async (t) => {
  const labels = Array.from({ length: 100 }, (_, i) => i);
  const root = await makeFolder(t, { 'train.bin': records(labels, true), 'test.bin': records([99], true) });
  const splits = await cifar100(root);
  t.after(() => closeSplits(splits));
  assert.equal(splits.train.size, 100);
  assert.deepEqual([splits.classes.length, splits.classes[0], splits.classes[99]], [100, 'apple', 'worm']);
  assert.deepEqual(splits.classes.toSorted(), splits.classes);
  assert.equal(new Set(splits.classes).size, 100);
});

test('missing and truncated files are named', async (t) => {
  const files = cifar10Files();
  const { 'data_batch_3.bin': _, ...missing } = files;
  await assert.rejects(cifar10(await makeFolder(t, missing)), {
    name: 'DataError',
    message: /lacks data_batch_3\.bin$/,
  });
  const cut = { ...files, 'data_batch_2.bin': files['data_batch_2.bin'].subarray(0, 4000) };
  await assert.rejects(cifar10(await makeFolder(t, cut)), {
    name: 'DataError',
    message: /data_batch_2\.bin is truncated: .* expected 6146 bytes for 2, found 4000$/,
  });
  const python = await makeFolder(t, { data_batch_1: 'x', test_batch: 'x', 'batches.meta': 'x' });
  await assert.rejects(cifar10(python), { message: /this is the Python version, download the binary version$/ });
  const wrong = await makeFolder(t, { ...files, 'test_batch.bin': records([12], false) });
  await assert.rejects(cifar10(wrong), {
    name: 'DataError',
    message: 'cifar10/test has the label 12, but there are only 10 classes',
  });
});
