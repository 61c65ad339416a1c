/** Which loops become moments of a convolution, and which stay. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph, type Value } from '../graph/graph.ts';
import { contract } from '../record/contract.ts';
import { normalize } from '../record/normalize.ts';
import type { Rule } from '../record/rule.ts';
import { schedule } from './schedule.ts';

const FEATURES = { relaxed: true, wide: true, shared: true };
const SHAPE = [2, 16, 16, 16];

function lower(g: Graph, rule: unknown, inputs: Record<string, Value>, attrs: object): readonly Value[] {
  const { infer, lower } = rule as Rule<object>;
  const types = infer(
    Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, { ...v, dtype: 'float32' }])) as never,
    attrs,
  );
  if (types === null) throw new Error('the rule does not apply');
  return lower(g, inputs, attrs, types);
}

function convolution(g: Graph, filter: readonly number[] = [3, 3, 16, 16], shape = SHAPE): Value {
  const inputs = { x: g.input(shape, 'f32'), filter: g.input(filter, 'f32') };
  const attrs = { strides: [1, 1], pad: 'same', dataFormat: 'NHWC', dilations: [1, 1] };
  return lower(g, contract.Conv2D, inputs, attrs)[0];
}

/** What runs for the batch norm of `of(graph)` in training. */
function kernels(of: (g: Graph) => Value): readonly string[] {
  const g = new Graph();
  const x = of(g);
  const channels = x.shape.slice(-1);
  const inputs = { x, scale: g.input(channels, 'f32'), offset: g.input(channels, 'f32') };
  g.outputs = [...lower(g, normalize.FusedBatchNormV3, inputs, { epsilon: 1e-3 })];
  return schedule(g, FEATURES).flatMap(({ recipe }) => recipe.steps.map(({ kernel }) => kernel.name));
}

const sums = /^loop .*sub,square,sum,sum/;

test('the sums of a batch norm are taken by the convolution before it', () => {
  const names = kernels(convolution);
  assert.ok(
    names.some((name) => /winograd .* \+ moments$/.test(name)),
    names.join('\n'),
  );
  assert.ok(!names.some((name) => sums.test(name)), names.join('\n'));
});

test('also where a bias is added first, in its epilogue', () => {
  const names = kernels((g) => {
    const y = convolution(g);
    return g.apply('add', y, g.broadcast(g.input([16], 'f32'), y.shape));
  });
  assert.ok(
    names.some((name) => /winograd .* \+ add \+ moments$/.test(name)),
    names.join('\n'),
  );
  assert.ok(!names.some((name) => sums.test(name)), names.join('\n'));
});

test('they stay a loop where nothing before them can take them', () => {
  const sources: Record<string, (g: Graph) => Value> = {
    'an input': (g) => g.input(SHAPE, 'f32'),
    'an input that a loop changes': (g) => g.apply('square', g.input(SHAPE, 'f32')),
    'few elements': (g) => convolution(g, [3, 3, 16, 16], [1, 8, 8, 16]),
    'channels that are not whole panels': (g) => convolution(g, [3, 3, 16, 10]),
  };
  for (const [what, source] of Object.entries(sources)) {
    const names = kernels(source);
    assert.ok(
      names.some((name) => sums.test(name)),
      `${what}:\n${names.join('\n')}`,
    );
    assert.ok(!names.some((name) => name.includes('moments')), `${what}:\n${names.join('\n')}`);
  }
});
