import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { averagePrecision } from './average-precision.ts';
import { rocAuc, rocCurve } from './roc.ts';
import { thresholdCurve } from './thresholds.ts';

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, ${expected}`);
const curveOf = (truth: readonly number[], scores: readonly number[]) => thresholdCurve(scores, (i) => truth[i] === 1);

test("the example of scikit-learn's roc_curve, roc_auc_score and average_precision_score", () => {
  const curve = curveOf([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]);
  assert.deepEqual(
    rocCurve(curve).map(({ x, y }) => [x, y]),
    [
      [0, 0],
      [0, 0.5],
      [0.5, 0.5],
      [0.5, 1],
      [1, 1],
    ],
  );
  close(rocAuc(curve), 0.75);
  close(averagePrecision(curve), 0.5 + 1 / 3);
});

test("the multi-class example of scikit-learn's average_precision_score", () => {
  const truth = [0, 0, 1, 1, 2, 2];
  const scores = [0.7, 0.2, 0.1, 0.4, 0.3, 0.3, 0.1, 0.8, 0.1, 0.2, 0.3, 0.5, 0.4, 0.4, 0.2, 0.1, 0.2, 0.7];
  const each = [0, 1, 2].map((k) =>
    averagePrecision(
      thresholdCurve(
        truth.map((_, i) => scores[3 * i + k]),
        (i) => truth[i] === k,
      ),
    ),
  );
  // Its documentation prints the first digits, 0.77…; by hand it is (5/6 + 3/4 + 3/4) / 3.
  close(each.reduce((a, b) => a + b) / 3, 7 / 9);
});

/** Every pair of a positive and a negative, one by one; a tie is half a win (Mann and Whitney). */
function slowAuc(truth: readonly number[], scores: readonly number[]): number {
  let [wins, pairs] = [0, 0];
  truth.forEach((a, i) => {
    truth.forEach((b, j) => {
      if (a !== 1 || b !== 0) return;
      pairs++;
      wins += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
    });
  });
  return wins / pairs;
}

/** Precision and recall counted anew at each distinct threshold. */
function slowAveragePrecision(truth: readonly number[], scores: readonly number[]): number {
  const positives = truth.filter((one) => one === 1).length;
  let [sum, before] = [0, 0];
  for (const threshold of [...new Set(scores)].sort((a, b) => b - a)) {
    const called = truth.filter((_, i) => scores[i] >= threshold);
    const hits = called.filter((one) => one === 1).length;
    sum += (hits / positives - before) * (hits / called.length);
    before = hits / positives;
  }
  return sum;
}

test('areas agree with counting by pairs and thresholds, with and without ties', () => {
  const random = Random.at(7);
  for (const distinct of [2, 5, 40, 1e9]) {
    for (let round = 0; round < 10; round++) {
      const truth = Array.from({ length: 60 }, (_, i) => (i < 2 ? i : Number(random.boolean(0.3))));
      const scores = truth.map((one) => random.integer(distinct) + one * random.uniform() * (distinct > 5 ? 1 : 0));
      const curve = curveOf(truth, scores);
      close(rocAuc(curve), slowAuc(truth, scores));
      close(averagePrecision(curve), slowAveragePrecision(truth, scores));
    }
  }
});

test('all scores equal are worth a coin; perfect and reversed scores are 1 and 0', () => {
  close(rocAuc(curveOf([0, 1, 1, 0], [0.3, 0.3, 0.3, 0.3])), 0.5);
  close(averagePrecision(curveOf([0, 1, 1, 0], [0.3, 0.3, 0.3, 0.3])), 0.5);
  close(rocAuc(curveOf([0, 0, 1], [0, 1, 2])), 1);
  close(rocAuc(curveOf([1, 1, 0], [0, 1, 2])), 0);
});

test('without positives or negatives there is no area', () => {
  assert.ok(Number.isNaN(rocAuc(curveOf([1, 1], [0, 1]))));
  assert.deepEqual(rocCurve(curveOf([0, 0], [0, 1])), []);
  assert.ok(Number.isNaN(averagePrecision(curveOf([0, 0], [0, 1]))));
});
