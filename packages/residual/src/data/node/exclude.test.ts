import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Dataset, Splits } from '../dataset.ts';
import { closeSplits } from '../dataset.ts';
import { fashionMnist } from './embedded.ts';
import { exclude, readExclusions } from './exclude.ts';

let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'residual-exclude-'));
});

after(() => rm(folder, { recursive: true }));

async function listed(text: string): Promise<readonly string[]> {
  await writeFile(join(folder, 'list'), text);
  return (await readExclusions(join(folder, 'list'))).samples;
}

test('reads CSV with a column, JSON, and plain lines', async () => {
  const tricky = 'sample,given\n"a, ""b"".jpg",x\r\ntrain#7,y\n\n';
  assert.deepEqual(await listed(tricky), ['a, "b".jpg', 'train#7']);
  assert.deepEqual(await listed('score,sample\n0.1,c.jpg\n'), ['c.jpg']);
  assert.deepEqual(await listed('["a", {"sample": "b", "score": 1}]'), ['a', 'b']);
  assert.deepEqual(await listed('a.jpg\nb.jpg\n'), ['a.jpg', 'b.jpg']);
  await assert.rejects(listed('file,score\na,1\n'), /needs a column 'sample'/);
  await assert.rejects(listed('[1]'), /item 1 is neither a name/);
  await assert.rejects(readExclusions(join(folder, 'none')), /there is no file or folder/);
});

test('rows of a stored set are the same however it was cut', async (t) => {
  for (const validation of [0, 0.3]) {
    const splits = await fashionMnist({ validation, seed: 4 });
    t.after(() => closeSplits(splits));
    const { splits: rest, counts, unknown } = exclude(splits, ['train#5', 'train#11999', 'test#3', 'train#12000']);
    assert.equal((counts.train ?? 0) + (counts.validation ?? 0), 2);
    assert.deepEqual(unknown, ['test#3', 'train#12000']);
    const names = [rest.train, rest.validation].flatMap((part) =>
      part === undefined ? [] : Array.from({ length: part.size }, (_, i) => part.nameOf?.(i)),
    );
    assert.equal(names.length, 11_998);
    assert.ok(!names.includes('train#5') && names.includes('train#6'));
    assert.equal(rest.test?.size, 2000);
  }
});

function files(root: string, names: readonly string[]): Dataset {
  return {
    ...{ name: 'photos/train', classes: ['a'], size: names.length, imageShape: [1, 1, 1] as const, skipped: [] },
    labels: new Int32Array(names.length),
    read: async (indices) => ({ images: new Uint8Array(indices.length), indices: Int32Array.from(indices) }),
    fileOf: (index) => join(root, names[index]),
    close: async () => {},
  };
}

test('files are meant from here, or from where the list lies; a list of other data is a mistake', async () => {
  const splits: Splits = {
    classes: ['a'],
    imageShape: [1, 1, 1],
    train: files(join(folder, 'photos'), ['x.jpg', 'y.jpg']),
  };
  await writeFile(join(folder, 'near.csv'), 'sample\nphotos/y.jpg\n');
  assert.equal(exclude(splits, await readExclusions(join(folder, 'near.csv'))).splits.train.size, 1);
  assert.equal(
    exclude(splits, [join(folder, 'photos', 'x.jpg')]).splits.train.fileOf?.(0),
    join(folder, 'photos/y.jpg'),
  );
  assert.throws(
    () => exclude(splits, ['z.jpg']),
    /none of the 1 samples to exclude is in photos\/train, e\.g\. z\.jpg/,
  );
  const both = ['x.jpg', 'y.jpg'].map((name) => join(folder, 'photos', name));
  assert.throws(() => exclude(splits, both), /excludes all of its 2 images/);
});
