import assert from 'node:assert/strict';
import { appendFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HistoryFile, readHistory, type StepRecord } from './history.ts';

const record = (step: number): StepRecord => ({
  type: 'step',
  step,
  epoch: 1,
  batch: step,
  batches: 9,
  loss: 1 / step,
  accuracy: 0.5,
  learningRate: 0.1,
  imagesPerSecond: 10,
  seconds: step,
});

test('a history that is opened again keeps what a checkpoint counted, and no more', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'residual-history-')), 'run', 'history.jsonl');
  assert.deepEqual(await readHistory(file), []);
  const first = HistoryFile.open(file, 0);
  first.append(record(1));
  first.append(record(2));
  const { bytes } = first;
  first.append(record(3));
  first.sync();
  first.close();
  await appendFile(file, '{"type":"st'); // cut off by a kill
  assert.deepEqual(
    (await readHistory(file)).map(({ step }) => step),
    [1, 2, 3],
  );

  const second = HistoryFile.open(file, bytes);
  second.append(record(3));
  second.append(record(4));
  second.close();
  assert.deepEqual(await readHistory(file), [1, 2, 3, 4].map(record));
  HistoryFile.open(file, 0).close();
  assert.deepEqual(await readHistory(file), []);
});
