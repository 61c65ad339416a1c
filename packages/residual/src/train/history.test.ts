import assert from 'node:assert/strict';
import { appendFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppendFile } from './append-file.ts';
import { type HistoryRecord, readHistory, type StepRecord, type TroubleRecord } from './history.ts';

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

const line = (one: HistoryRecord) => `${JSON.stringify(one)}\n`;

test('a history that is opened again keeps what a checkpoint counted, and no more', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'residual-history-')), 'run', 'history.jsonl');
  assert.deepEqual(await readHistory(file), []);
  const first = AppendFile.open(file, 0);
  first.append(line(record(1)));
  first.append(line(record(2)));
  const { bytes } = first;
  first.append(line(record(3)));
  first.sync();
  first.close();
  await appendFile(file, '{"type":"st'); // cut off by a kill
  assert.deepEqual(
    (await readHistory(file)).map(({ step }) => step),
    [1, 2, 3],
  );

  const second = AppendFile.open(file, bytes);
  second.append(line(record(3)));
  second.append(line(record(4)));
  second.close();
  assert.deepEqual(await readHistory(file), [1, 2, 3, 4].map(record));
  AppendFile.open(file, 0).close();
  assert.deepEqual(await readHistory(file), []);
});

test('steps that a recovery gave up are left out, the trouble itself stays', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'residual-history-')), 'history.jsonl');
  const trouble = (step: number, backTo: number): TroubleRecord => ({
    ...{ type: 'trouble', trouble: 'diverged', step, epoch: 1, backTo, message: 'm', rateScale: 0.1, seconds: 1 },
  });
  const written = [record(1), record(2), record(3), trouble(3, 1), record(2), trouble(2, 1), record(2), record(3)];
  await appendFile(file, written.map(line).join(''));
  const kept = await readHistory(file);
  assert.deepEqual(
    kept.map(({ type, step }) => [type, step]),
    [
      ['step', 1],
      ['trouble', 3],
      ['trouble', 2],
      ['step', 2],
      ['step', 3],
    ],
  );
  assert.deepEqual(await readHistory(file, { all: true }), written);
});
