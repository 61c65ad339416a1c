/** Pictures in the report show the pixels that the network saw, and the file appears whole. */

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Dataset } from '../data/dataset.ts';
import { loadSharp } from '../data/node/decode.ts';
import type { ReportData } from './report-data.ts';
import { pictureUri, showMistakes, writeReport } from './report-file.ts';
import { madeEvaluation } from './testing.ts';

async function decode(uri: string) {
  const sharp = await loadSharp();
  const [head = '', body = ''] = uri.split(',');
  return { head, ...(await sharp(Buffer.from(body, 'base64')).raw().toBuffer({ resolveWithObject: true })) };
}

test('a small picture keeps its pixels', async () => {
  const pixels = Uint8Array.from({ length: 4 * 6 * 3 }, (_, i) => (i * 37) % 256);
  const { head, data, info } = await decode(await pictureUri(pixels, [4, 6, 3]));
  assert.equal(head, 'data:image/png;base64');
  assert.deepEqual([info.height, info.width], [4, 6]);
  assert.deepEqual([...data], [...pixels]);
});

test('a large picture is scaled down', async () => {
  const { info } = await decode(await pictureUri(new Uint8Array(400 * 300 * 3), [400, 300, 3]));
  assert.deepEqual([info.height, info.width], [192, 144]);
});

test('mistakes are shown with the picture of their sample', async () => {
  const dataset: Dataset = {
    name: 'd',
    classes: ['a', 'b'],
    size: 4,
    imageShape: [1, 1, 1],
    labels: Int32Array.from([0, 1, 0, 1]),
    skipped: [],
    read: async (indices) => ({
      images: Uint8Array.from(indices, (index) => index * 10),
      indices: Int32Array.from(indices),
    }),
    close: async () => {},
  };
  const mistake = { actual: 1, predicted: 0, probability: 0.9, probabilityOfTruth: 0.1 };
  const shown = await showMistakes(dataset, [
    { ...mistake, index: 3 },
    { ...mistake, index: 1 },
  ]);
  assert.deepEqual(
    shown.map((one) => one.source),
    ['image 3', 'image 1'],
  );
  const values = await Promise.all(shown.map(async (one) => (await decode(one.picture)).data[0]));
  assert.deepEqual(values, [30, 10]);
  assert.deepEqual(await showMistakes(dataset, []), []);
});

test('the report replaces an older one and leaves nothing beside it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'report-'));
  const data: ReportData = {
    name: 'first',
    architecture: 'net',
    parameters: 1,
    inputShape: [1, 1, 1],
    data: 'd',
    sizes: [],
    classes: ['a', 'b'],
    history: [],
    split: 'test',
    evaluation: madeEvaluation(),
    mistakes: [],
    options: [],
    environment: [],
    reproduce: [],
    skipped: [],
    date: new Date(0),
  };
  await writeReport(join(folder, 'report.html'), data);
  await writeReport(join(folder, 'report.html'), { ...data, name: 'second' });
  assert.deepEqual(await readdir(folder), ['report.html']);
  assert.match(await readFile(join(folder, 'report.html'), 'utf8'), /<h1>second<\/h1>/);
  await rm(folder, { recursive: true });
});
