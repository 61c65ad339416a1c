import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { DataError } from '../../data/errors.ts';
import type { ImageFlow } from '../index.ts';
import { imageDataGenerator } from '../index.ts';
import { folderOf, shade } from './testing.ts';

await tf.setBackend('cpu');

const SMALL = { targetSize: [2, 3], shuffle: false } as const;
const datagen = imageDataGenerator();

/** Pictures 1.png to 5.png of shades 1 to 5 in `images/`, and the CSV beside it. */
async function table(t: TestContext, csv: string): Promise<string> {
  const files: Record<string, Uint8Array | string> = { 'labels.csv': csv };
  for (let i = 1; i <= 5; i++) files[`images/${i}.png`] = await shade(i);
  return join(await folderOf(t, files), 'labels.csv');
}

async function first<Y extends tf.Tensor | tf.Tensor[] | undefined>(flow: ImageFlow<Y>) {
  for await (const { xs, ys } of flow) {
    const length = xs.size / xs.shape[0];
    return { ys, shades: [...xs.dataSync()].filter((_, i) => i % length === 0) };
  }
  throw new Error('no batch');
}

test('a column of files and a column of classes, relative to the CSV', async (t) => {
  const path = await table(t, 'filename,class\nimages/2.png,dog\nimages/1.png,cat\nimages/3.png,dog\n');
  const flow = await datagen.flowFromCsv(path, SMALL);
  assert.deepEqual(flow.classIndices, { cat: 0, dog: 1 });
  assert.deepEqual(flow.filenames, ['images/2.png', 'images/1.png', 'images/3.png']);
  const { ys, shades } = await first(flow);
  assert.deepEqual(shades, [2, 1, 3]);
  assert.deepEqual(ys.arraySync(), [
    [0, 1],
    [1, 0],
    [0, 1],
  ]);
  const sparse = await first(await datagen.flowFromCsv(path, { ...SMALL, classMode: 'sparse' }));
  assert.deepEqual(sparse.ys.arraySync(), [1, 0, 1]);
  const binary = await first(
    await datagen.flowFromCsv(path, { ...SMALL, classMode: 'binary', classes: ['dog', 'cat'] }),
  );
  assert.deepEqual(binary.ys.arraySync(), [[0], [1], [0]]);
});

test('directory, xCol, yCol, delimiter; quotes, spaces, an empty line, and a byte order mark', async (t) => {
  const path = await table(t, '\ufeffbreed; "file"\n"a; b"; 1.png\n\nc ;"2.png"\n');
  const directory = join(path, '../images');
  const flow = await datagen.flowFromCsv(path, { ...SMALL, directory, xCol: 'file', yCol: 'breed', delimiter: ';' });
  assert.deepEqual(flow.classes, ['a; b', 'c']);
  assert.deepEqual((await first(flow)).shades, [1, 2]);
});

test('absolute paths are taken as they are', async (t) => {
  const other = await folderOf(t, { 'x.png': await shade(77) });
  const path = await table(t, `filename,class\n${join(other, 'x.png')},a\n`);
  assert.deepEqual((await first(await datagen.flowFromCsv(path, SMALL))).shades, [77]);
});

test('classes chooses rows and orders', async (t) => {
  const path = await table(t, 'filename,class\nimages/1.png,a\nimages/2.png,b\nimages/3.png,c\nimages/4.png,a\n');
  const flow = await datagen.flowFromCsv(path, { ...SMALL, classes: ['c', 'a'], classMode: 'sparse' });
  assert.deepEqual([...flow.labels], [1, 0, 1]);
  assert.deepEqual((await first(flow)).shades, [1, 3, 4]);
});

test('several classes of one picture', async (t) => {
  const path = await table(t, 'filename,class\nimages/1.png,cat|indoor\nimages/2.png,dog\nimages/3.png,indoor|dog\n');
  const { ys } = await first(await datagen.flowFromCsv(path, { ...SMALL, classSeparator: '|' }));
  assert.deepEqual(ys.arraySync(), [
    [1, 0, 1],
    [0, 1, 0],
    [0, 1, 1],
  ]);
});

test('raw and multiOutput give numbers, input the pictures, null nothing', async (t) => {
  const path = await table(t, 'filename,x,y\nimages/1.png,0.5,-2\nimages/2.png,1e2,3\n');
  const one = await first(await datagen.flowFromCsv(path, { ...SMALL, classMode: 'raw', yCol: 'y' }));
  assert.deepEqual(one.ys.arraySync(), [-2, 3]);
  const raw = await first(await datagen.flowFromCsv(path, { ...SMALL, classMode: 'raw', yCol: ['x', 'y'] }));
  assert.deepEqual(raw.ys.arraySync(), [
    [0.5, -2],
    [100, 3],
  ]);
  const several = await first(
    await datagen.flowFromCsv(path, { ...SMALL, classMode: 'multiOutput', yCol: ['x', 'y'] }),
  );
  assert.deepEqual(
    several.ys.map((part) => part.arraySync()),
    [
      [[0.5], [100]],
      [[-2], [3]],
    ],
  );
  const input = await first(await datagen.flowFromCsv(path, { ...SMALL, classMode: 'input' }));
  assert.equal(input.ys.shape.length, 4);
  const none = await first(await datagen.flowFromCsv(path, { ...SMALL, classMode: null }));
  assert.equal(none.ys, undefined);
});

test('rows without a usable file are left out and listed, or kept unseen', async (t) => {
  const path = await table(
    t,
    'filename,class\nimages/1.png,a\nimages/gone.png,a\nlabels.csv,b\nimages,b\nimages/2.png,b\n',
  );
  const flow = await datagen.flowFromCsv(path, SMALL);
  assert.deepEqual(flow.filenames, ['images/1.png', 'images/2.png']);
  assert.deepEqual(
    flow.skipped.map(({ reason }) => reason),
    ['no such file', '.csv files are not read', 'this is a folder, not an image'],
  );
  const unseen = await datagen.flowFromCsv(path, { ...SMALL, validateFilenames: false });
  assert.equal(unseen.samples, 5);
  assert.deepEqual((await first(unseen)).shades, [1, 1, 2, 2, 2]);
});

test('subsets by class', async (t) => {
  const rows = Array.from({ length: 20 }, (_, i) => `images/${(i % 5) + 1}.png,${i % 5 < 3 ? 'a' : 'b'}`);
  const path = await table(t, `filename,class\n${rows.join('\n')}\n`);
  const split = imageDataGenerator({ validationSplit: 0.34 });
  const held = await split.flowFromCsv(path, { ...SMALL, subset: 'validation' });
  const train = await split.flowFromCsv(path, { ...SMALL, subset: 'training' });
  assert.equal(held.samples + train.samples, 20);
  // Rows that name one file stay on one side.
  assert.deepEqual(
    held.filenames.filter((name) => train.filenames.includes(name)),
    [],
  );
  assert.ok(held.samples > 0);
});

test('impossible tables and options are named', async (t) => {
  const path = await table(t, 'filename,class,score\nimages/1.png,a,1\nimages/2.png,b,high\n');
  const cases: readonly [options: object, message: RegExp][] = [
    [{ yCol: 'breed' }, /labels\.csv has no column 'breed'; its first line names filename, class, score$/],
    [{ xCol: 'file' }, /has no column 'file'/],
    [{ classMode: 'one-hot' }, /classMode must be one of categorical, .*, received 'one-hot'$/],
    [{ classMode: 'raw', yCol: 'score' }, /column 'score' must hold numbers for classMode 'raw', received 'high'$/],
    [{ classMode: 'multiOutput', yCol: 'score' }, /'multiOutput' needs a list of columns as yCol, received 'score'$/],
    [{ yCol: ['class', 'score'] }, /classMode 'categorical' needs one column as yCol, received class, score$/],
    [{ classMode: 'sparse', classSeparator: ';' }, /classSeparator is for classMode 'categorical'/],
    [{ classes: ['x'] }, /no row of column 'class' names one of the classes x$/],
    [{ classMode: 'binary', classes: ['a'] }, /classMode 'binary' needs 2 classes, found 1: a$/],
    [
      { directory: '/nowhere' },
      /names no pictures that can be used \(.*: no such file\); file names start in \/nowhere$/,
    ],
  ];
  for (const [options, message] of cases) {
    await assert.rejects(
      datagen.flowFromCsv(path, { ...SMALL, ...options }),
      (error) => error instanceof DataError && message.test(error.message),
      JSON.stringify(options),
    );
  }
  const broken = await table(t, 'filename,class\n"images/1.png,a\n');
  await assert.rejects(
    datagen.flowFromCsv(broken, SMALL),
    /labels\.csv is not a CSV file that can be read: .*[Qq]uote/,
  );
  const ragged = await table(t, 'filename,class\nimages/1.png\n');
  await assert.rejects(datagen.flowFromCsv(ragged, SMALL), /is not a CSV file that can be read: /);
  const empty = await table(t, 'filename,class\n');
  await assert.rejects(datagen.flowFromCsv(empty, SMALL), /names no pictures that can be used \(it has no rows\)/);
  await assert.rejects(datagen.flowFromCsv(`${path}x`, SMALL), /there is no file or folder/);
});
