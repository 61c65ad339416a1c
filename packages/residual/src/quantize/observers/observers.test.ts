import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../data/random.ts';
import { dequantizeValues, parametersOf, quantizeValues, type ValueRange } from '../parameters.ts';
import { Histogram } from './histogram.ts';
import { type ObserverName, type ObserverOptions, observerNames, observers } from './index.ts';

/** About a bell curve (the sum of four), cut off at 0 where it is that of a ReLU. */
function bell(count: number, seed: number, relu: boolean): Float32Array {
  const random = Random.at(seed);
  return Float32Array.from({ length: count }, () => {
    let sum = 0;
    for (let i = 0; i < 4; i++) sum += random.uniform(-0.9, 0.9);
    return relu ? Math.max(sum, 0) : sum;
  });
}

function rangeOf(name: ObserverName, parts: readonly Float32Array[], options?: ObserverOptions): ValueRange {
  const observer = observers[name](options);
  for (const part of parts) observer.observe(part);
  return observer.range();
}

function squaredError(numbers: Float32Array, range: ValueRange, scheme: ObserverOptions['scheme']): number {
  const parameters = parametersOf(range, { ...(scheme && { scheme }) });
  const back = dequantizeValues(quantizeValues(numbers, parameters), parameters);
  return numbers.reduce((sum, number, i) => sum + (number - back[i]) ** 2, 0) / numbers.length;
}

test('a histogram that grew counts as one that knew its range beforehand, in any order of the numbers', () => {
  const numbers = bell(2000, 1, false);
  const far = Float32Array.of(300, -0.0001, 0, 0, 1e-7, -40);
  const [grown, reversed, atOnce] = [new Histogram(), new Histogram(), new Histogram()];
  for (let i = 0; i < 2000; i += 100) grown.add(numbers.subarray(i, i + 100));
  grown.add(far);
  reversed.add(far);
  reversed.add(numbers);
  const all = new Float32Array(2006);
  all.set(numbers);
  all.set(far, 2000);
  atOnce.add(all);
  for (const one of [grown, reversed]) {
    assert.equal(one.width, atOnce.width);
    assert.equal(one.first, atOnce.first);
    assert.deepEqual(one.counts, atOnce.counts);
    assert.deepEqual([one.min, one.max, one.zeros, one.count], [-40, 300, 2, 2006]);
  }
  assert.equal(atOnce.counts.reduce((a, b) => a + b) + atOnce.zeros, 2006);
  assert.ok(atOnce.counts.length > 2048 - 1 && atOnce.counts.length <= 4096, `${atOnce.counts.length} bins`);
});

test('a histogram knows where numbers lie: each bin has the ones between its edges', () => {
  const numbers = bell(500, 2, false);
  const seen = new Histogram();
  seen.add(numbers);
  for (let bin = 0; bin < seen.counts.length; bin += 37) {
    const inside = numbers.filter((x) => x !== 0 && x >= seen.edge(bin) && x < seen.edge(bin + 1)).length;
    assert.equal(seen.counts[bin], inside);
  }
  const sorted = Float32Array.from(numbers).sort();
  for (const part of [0.01, 0.3, 0.5, 0.97]) {
    assert.ok(Math.abs(seen.quantile(part) - sorted[Math.round(part * 499)]) < 0.05, `${part}`);
  }
});

test('the percentile leaves out as many numbers as it says, half at each end, and no zeros of a ReLU', () => {
  const numbers = Float32Array.from({ length: 10_000 }, (_, i) => i - 5000);
  const { min, max } = rangeOf('percentile', [numbers], { percentile: 99 });
  assert.ok(Math.abs(min + 4950) < 5 && Math.abs(max - 4950) < 5, `${min} … ${max}`);
  const clamped = numbers.map((x) => Math.max(x, 0));
  const positive = rangeOf('percentile', [clamped], { percentile: 99 });
  assert.equal(positive.min, 0);
  assert.ok(Math.abs(positive.max - 4950) < 5);
  assert.throws(() => observers.percentile({ percentile: 40 }), /percentile must be above 50.*received 40/);
});

for (const scheme of ['asymmetric', 'symmetric'] as const) {
  for (const relu of [false, true]) {
    test(`one number far from the others: mse, percentile and entropy lose less than min-max, ${scheme}, ${relu ? 'after a ReLU' : 'both signs'}`, () => {
      const numbers = bell(40_000, 3, relu);
      numbers[77] = 60;
      const parts = [numbers.subarray(0, 50), numbers.subarray(50)];
      // Half a percent of what is clipped may weigh more than all rounding: what is judged is the error of the others.
      const others = numbers.filter((x, i) => i < 8000 && x !== 60);
      const error = (name: ObserverName) => squaredError(others, rangeOf(name, parts, { scheme }), scheme);
      const plain = error('min-max');
      for (const name of ['percentile', 'entropy'] as const) {
        assert.ok(error(name) < plain / 2, `${name}: ${error(name)} beside ${plain}`);
      }
      assert.ok(error('mse') <= plain);
    });
  }

  test(`mse finds the range that an exhaustive search over real rounding finds, ${scheme}`, () => {
    const numbers = bell(4000, 4, false).map((x) => x ** 9 + 0.3 * x);
    const found = squaredError(numbers, rangeOf('mse', [numbers], { scheme }), scheme);
    let least = Number.POSITIVE_INFINITY;
    const { min, max } = rangeOf('min-max', [numbers]);
    for (let low = 0.1; low <= 1; low += 0.1) {
      for (let high = 0.1; high <= 1; high += 0.1) {
        least = Math.min(least, squaredError(numbers, { min: min * low, max: max * high }, scheme));
      }
    }
    assert.ok(found < least * 1.03, `${found} beside ${least}`);
  });

  test(`mse clips a number when rounding all others more finely is worth it, ${scheme}`, () => {
    const numbers = Float32Array.from({ length: 200_000 }, (_, i) => ((i * 7919) % 1999) / 999 - 1);
    numbers[4] = 20;
    const range = rangeOf('mse', [numbers], { scheme });
    assert.ok(range.max > 8 && range.max < 18, `${range.max}`);
    assert.ok(
      squaredError(numbers, range, scheme) < 0.9 * squaredError(numbers, rangeOf('min-max', [numbers]), scheme),
    );
  });
}

test('what has nothing to clip keeps its range, and what is not finite is seen', () => {
  for (const name of observerNames) {
    const zeros = rangeOf(name, [new Float32Array(100)]);
    assert.deepEqual([zeros.min, zeros.max], [0, 0], name);
    const { min, max } = rangeOf(name, [Float32Array.of(1, Number.NaN, 2)]);
    if (name !== 'min-max') assert.ok(!Number.isFinite(max - min), name);
    const infinite = rangeOf(name, [Float32Array.of(1, Number.POSITIVE_INFINITY)]);
    assert.ok(!Number.isFinite(infinite.max - infinite.min), name);
  }
});
