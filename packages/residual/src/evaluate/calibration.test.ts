import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { calibrationOf } from './calibration.ts';

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, ${expected}`);

test("the multi-class example of scikit-learn's brier_score_loss", () => {
  const { brier } = calibrationOf([0.8, 0.1, 0.1, 0.2, 0.7, 0.1, 0.2, 0.2, 0.6], [0, 1, 2], 3);
  close(brier, 0.44 / 3);
});

test('errors of bins that can be counted by hand', () => {
  // Two images at 0.6, one right; two at 0.9, both right.
  const rows = [0.6, 0.4, 0.6, 0.4, 0.1, 0.9, 0.1, 0.9];
  const { ece, mce, overconfidence, bins } = calibrationOf(rows, [0, 1, 1, 1], 2, 10);
  close(ece, (2 * 0.1 + 2 * 0.1) / 4);
  close(mce, 0.1);
  close(overconfidence, 0);
  assert.deepEqual(
    bins.map(({ images }) => images),
    [0, 0, 0, 0, 0, 2, 0, 0, 2, 0],
  );
  assert.ok(Number.isNaN(bins[0].accuracy));
});

test('agrees with a plain count over any number of bins', () => {
  const random = Random.at(3);
  const [size, classes] = [300, 4];
  const rows = Array.from({ length: size }, () => {
    const raw = Array.from({ length: classes }, () => random.uniform() ** 4);
    return raw.map((value) => value / raw.reduce((a, b) => a + b));
  });
  const labels = rows.map((row) => (random.boolean(0.6) ? row.indexOf(Math.max(...row)) : random.integer(classes)));
  for (const bins of [1, 7, 15]) {
    let [ece, mce] = [0, 0];
    for (let b = 0; b < bins; b++) {
      const inside = rows.flatMap((row, i) => {
        const top = Math.max(...row);
        return top > b / bins && top <= (b + 1) / bins ? [{ top, right: row.indexOf(top) === labels[i] }] : [];
      });
      if (inside.length === 0) continue;
      const gap = Math.abs(inside.reduce((sum, { top, right }) => sum + Number(right) - top, 0) / inside.length);
      ece += (gap * inside.length) / size;
      mce = Math.max(mce, gap);
    }
    const result = calibrationOf(rows.flat(), labels, classes, bins);
    close(result.ece, ece);
    close(result.mce, mce);
  }
});
