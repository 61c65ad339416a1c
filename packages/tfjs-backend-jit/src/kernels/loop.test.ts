/** Fused loops against the interpreter: the shapes that matter, and random specs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Features, Ref } from './kernel.ts';
import { loop } from './loop.ts';
import { type Expected, interpret } from './loop-reference.ts';
import type { BodyNode, Lane, LoopInput, LoopReduce, LoopSpec, ReduceFn, ScalarFn } from './loop-spec.ts';
import { ALL_FEATURES, normal, runRecipe, seeded } from './testing.ts';

type Data = Float32Array | Int32Array;

const load = (input: number, lane: Lane = 'f32'): BodyNode => ({ kind: 'load', input, lane });
const constant = (value: number, lane: Lane = 'f32'): BodyNode => ({ kind: 'const', value, lane });
const index = (axis: number): BodyNode => ({ kind: 'index', axis, lane: 'i32' });
const apply = (fn: ScalarFn, args: number[], lane: Lane = 'f32'): BodyNode => ({ kind: 'apply', fn, args, lane });
const f32 = (strides: number[], offset = 0): LoopInput => ({ lane: 'f32', offset, strides });

const laneOf = (spec: LoopSpec, value: number): Lane => spec.body[value]?.lane ?? 'f32';

/** Elements that an input's strides reach, as [smallest, largest]. */
function reach({ offset, strides }: LoopInput, shape: readonly number[]): [number, number] {
  let [low, high] = [offset, offset];
  shape.forEach((size, a) => {
    const far = (size - 1) * (strides[a] ?? 0);
    if (far < 0) low += far;
    else high += far;
  });
  return [low, high];
}

function randomInputs(spec: LoopSpec, seed: number): Data[] {
  return spec.inputs.map((x, i) => {
    const [low, high] = reach(x, spec.shape);
    assert.ok(low >= 0, 'test: an input reaches before its start');
    const values = normal(high + 1, seed * 31 + i);
    return x.lane === 'f32' ? values : Int32Array.from(values, (v) => Math.round(v * 3));
  });
}

/** True if `got` is what a float32 computation may give. */
function within({ values, bounds }: Expected, i: number, got: number): boolean {
  const want = values[i] ?? 0;
  const bound = bounds[i] ?? 0;
  if (Object.is(got, want) || got === want || Number.isNaN(bound)) return true;
  return Math.abs(got - want) <= 2 * bound + 1e-37 || (Math.abs(want) > 3.4e38 && Math.abs(got) > 3.4e38);
}

/** Runs a spec both ways and compares all its outputs. */
function check(spec: LoopSpec, seed: number, features: readonly Features[] = ALL_FEATURES): void {
  const inputs = randomInputs(spec, seed);
  const want = interpret(spec, inputs);
  const outputs = [...spec.stores, ...(spec.reductions ?? [])].map(({ value }, i) => ({
    size: want[i]?.values.length ?? 0,
    lane: laneOf(spec, value),
  }));
  for (const f of features) {
    const got = runRecipe(loop(spec, f), inputs, outputs);
    want.forEach((expected, o) => {
      expected.values.forEach((value, i) => {
        const found = got[o]?.[i] ?? Number.NaN;
        if (within(expected, i, found)) return;
        assert.fail(
          `output ${o}[${i}] = ${found}, want ${value}; seed ${seed}, ${JSON.stringify(f)}\n${JSON.stringify(spec)}`,
        );
      });
    });
  }
}

test('a long dense chain is cut into pieces', () => {
  const spec: LoopSpec = {
    shape: [100_003],
    inputs: [f32([1]), f32([1])],
    body: [load(0), load(1), apply('mul', [0, 1]), constant(0.5), apply('add', [2, 3]), apply('relu', [4])],
    stores: [{ value: 5 }],
  };
  check(spec, 1);
  const [step] = loop(spec, { relaxed: true, wide: true }).steps;
  assert.ok(step && step.kernel.pieces > 1 && step.kernel.pieces <= 64);
});

for (const channels of [1, 3, 5, 8, 10, 16, 30, 64, 100, 512]) {
  test(`per-channel affine and relu over ${channels} channels`, () => {
    check(
      {
        shape: [channels < 100 ? 210 : 50, channels],
        inputs: [f32([channels, 1]), f32([0, 1]), f32([0, 1]), f32([0, 1]), f32([channels, 1])],
        body: [
          load(0),
          load(1),
          load(2),
          load(3),
          load(4),
          constant(1e-3),
          apply('square', [2]),
          apply('add', [6, 5]),
          apply('rsqrt', [7]),
          apply('mul', [8, 1]),
          apply('mul', [0, 9]),
          apply('add', [10, 3]),
          apply('add', [11, 4]),
          apply('relu', [12]),
        ],
        stores: [{ value: 13 }],
      },
      channels,
    );
  });

  test(`backward statistics and a masked gradient over ${channels} channels`, () => {
    const dense = [channels, 1];
    check(
      {
        shape: [channels < 100 ? 1300 : 300, channels],
        inputs: [f32(dense), f32(dense), f32(dense), f32([0, 1]), f32([0, 1])],
        body: [
          load(0), // x
          load(1), // dy
          load(2), // y
          load(3), // mean
          load(4), // 1 / deviation
          constant(0),
          apply('gt', [2, 5], 'i32'),
          apply('select', [6, 1, 5]),
          apply('sub', [0, 3]),
          apply('mul', [8, 4]),
          apply('mul', [7, 9]),
        ],
        stores: [{ value: 7 }],
        reduced: [true, false],
        reductions: [
          { value: 7, fn: 'sum' },
          { value: 10, fn: 'sum' },
        ],
      },
      channels,
    );
  });

  test(`pooling over pixels of ${channels} channels`, () => {
    check(
      {
        shape: [6, 49, channels],
        inputs: [f32([49 * channels, channels, 1])],
        body: [load(0)],
        stores: [],
        reduced: [false, true, false],
        reductions: [
          { value: 0, fn: 'sum' },
          { value: 0, fn: 'max' },
        ],
      },
      channels,
    );
  });

  test(`rows of ${channels}: max, sum of exp`, () => {
    check(
      {
        shape: [130, channels],
        inputs: [f32([channels, 1])],
        body: [load(0), apply('exp', [0])],
        stores: [{ value: 1 }],
        reduced: [false, true],
        reductions: [
          { value: 0, fn: 'max' },
          { value: 1, fn: 'sum' },
        ],
      },
      channels,
    );
  });
}

test('one hot by index', () => {
  const body = [
    load(0, 'i32'),
    index(1),
    apply('eqI', [0, 1], 'i32'),
    constant(0.1),
    constant(0.9),
    apply('select', [2, 4, 3]),
  ];
  check({ shape: [37, 11], inputs: [{ lane: 'i32', offset: 0, strides: [1, 0] }], body, stores: [{ value: 5 }] }, 5);
});

/** Runs a spec with store i written over input `over[i]`, and returns its stores. */
function runInPlace(spec: LoopSpec, features: Features, inputs: Data[], over: readonly number[]): Data[] {
  const size = spec.shape.reduce((a, b) => a * b, 1);
  const recipe = loop(spec, features);
  const replaced = recipe.steps.map(({ kernel, args }) => ({
    kernel,
    args: args.map((a): Ref => {
      const index = a.kind === 'output' ? over[a.index] : undefined;
      if (index !== undefined) return { kind: 'input', index };
      return a.kind === 'output' ? { kind: 'output', index: a.index } : a;
    }),
  }));
  // Copies bring the overwritten inputs to where the harness reads outputs.
  const copies = over.map((index, i) => {
    const lane = laneOf(spec, spec.stores[i]?.value ?? 0);
    const body = [load(0, lane)];
    const [copy] = loop(
      { shape: [size], inputs: [{ lane, offset: 0, strides: [1] }], body, stores: [{ value: 0 }] },
      features,
    ).steps;
    assert.ok(copy);
    return { kernel: copy.kernel, args: [{ kind: 'input', index } as const, { kind: 'output', index: i } as const] };
  });
  const outputs = [...spec.stores, ...(spec.reductions ?? [])].map(({ value }) => ({
    size,
    lane: laneOf(spec, value),
  }));
  return runRecipe({ temps: recipe.temps, steps: [...replaced, ...copies] }, inputs, outputs).slice(0, over.length);
}

for (const shape of [[4099], [210, 64], [210, 10], [37, 3]]) {
  test(`stores of ${shape.join('x')} may lie over dense inputs`, () => {
    // The optimiser's update: both stores read both of the inputs that they overwrite.
    const dense = shape.map((_, a) => shape.slice(a + 1).reduce((n, s) => n * s, 1));
    const spec: LoopSpec = {
      shape,
      inputs: [f32(dense), f32(dense), f32(dense), f32(shape.map((_, a) => (a === shape.length - 1 ? 1 : 0)))],
      body: [
        load(0),
        load(1),
        load(2),
        load(3),
        constant(0.9),
        apply('mul', [1, 4]),
        apply('mul', [2, 3]),
        apply('sub', [5, 6]),
        apply('add', [0, 7]),
      ],
      stores: [{ value: 7 }, { value: 8 }],
      reduced: shape.map((_, a) => a === 0),
      reductions: [{ value: 7, fn: 'sum' }],
    };
    const { reductions: _, ...plain } = spec;
    for (const features of ALL_FEATURES) {
      for (const s of [spec, plain]) {
        const inputs = randomInputs(s, 3);
        const want = interpret(s, inputs);
        const got = runInPlace(s, features, inputs, [1, 0]);
        got.forEach((values, o) => {
          values.forEach((found, i) => {
            const expected = want[o];
            assert.ok(
              expected && within(expected, i, found),
              `output ${o}[${i}] = ${found}, want ${expected?.values[i]}`,
            );
          });
        });
      }
    }
  });
}

test('a sum of ten million numbers keeps six digits', () => {
  const n = 10_000_000;
  const x = new Float32Array(n);
  const random = seeded(4);
  let exact = 0;
  for (let i = 0; i < n; i++) {
    x[i] = random();
    exact += x[i] ?? 0;
  }
  const whole: LoopSpec = {
    shape: [n],
    inputs: [f32([1])],
    body: [load(0)],
    stores: [],
    reduced: [true],
    reductions: [{ value: 0, fn: 'sum' }],
  };
  const columns: LoopSpec = { ...whole, shape: [n / 8, 8], inputs: [f32([8, 1])], reduced: [true, false] };
  const features = { relaxed: true, wide: true };
  const [sum] = runRecipe(loop(whole, features), [x], [{ size: 1, lane: 'f32' }]);
  assert.ok(Math.abs((sum?.[0] ?? 0) - exact) < 1e-6 * exact, `${sum} for ${exact}`);
  const [sums] = runRecipe(loop(columns, features), [x], [{ size: 8, lane: 'f32' }]);
  const total = [...(sums ?? [])].reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(total - exact) < 1e-6 * exact, `${total} for ${exact}`);
});

test('NaN passes through max and min', () => {
  const x = normal(1000, 1);
  x[777] = Number.NaN;
  for (const fn of ['max', 'min'] as const) {
    const spec: LoopSpec = {
      shape: [4, 250],
      inputs: [f32([250, 1])],
      body: [load(0)],
      stores: [],
      reduced: [false, true],
      reductions: [{ value: 0, fn }],
    };
    for (const features of ALL_FEATURES) {
      const [got] = runRecipe(loop(spec, features), [x], [{ size: 4, lane: 'f32' }]);
      assert.deepEqual([...(got ?? [])].map(Number.isNaN), [false, false, false, true]);
    }
  }
});

test('loops without points write nothing, and reduce to identities', () => {
  const body = [load(0)];
  const none: LoopSpec = { shape: [0, 5], inputs: [f32([5, 1])], body, stores: [{ value: 0 }] };
  assert.deepEqual(loop(none, { relaxed: true, wide: true }).steps, []);
  const reductions: LoopReduce[] = [
    { value: 0, fn: 'sum' },
    { value: 0, fn: 'max' },
  ];
  const spec: LoopSpec = { ...none, stores: [], reduced: [true, false], reductions };
  const recipe = loop(spec, { relaxed: true, wide: true });
  const got = runRecipe(
    recipe,
    [new Float32Array(0)],
    [
      { size: 5, lane: 'f32' },
      { size: 5, lane: 'f32' },
    ],
  );
  assert.deepEqual(
    got.map((x) => [...x]),
    [Array(5).fill(0), Array(5).fill(Number.NEGATIVE_INFINITY)],
  );
});

test('the key tells kernels apart', () => {
  const spec = (value: number, shape: number[]): LoopSpec => ({
    shape,
    inputs: [f32([1])],
    body: [load(0), constant(value), apply('mul', [0, 1])],
    stores: [{ value: 2 }],
  });
  const key = (s: LoopSpec, f: Features) => loop(s, f).steps[0]?.kernel.key;
  const features = { relaxed: true, wide: true };
  assert.equal(key(spec(1, [8]), features), key(spec(1, [8]), features));
  assert.notEqual(key(spec(1, [8]), features), key(spec(2, [8]), features));
  assert.notEqual(key(spec(1, [8]), features), key(spec(1, [9]), features));
  // JSON knows neither of these.
  assert.notEqual(key(spec(Number.NaN, [8]), features), key(spec(Number.POSITIVE_INFINITY, [8]), features));
  assert.notEqual(key(spec(0, [8]), features), key(spec(-0, [8]), features));
});

/** A random spec: shape, strides of many kinds, a body of a few functions, stores and reductions. */
function randomSpec(seed: number): LoopSpec {
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const rank = 1 + below(4);
  const shape = Array.from({ length: rank }, () => pick([1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33]));
  if (random() < 0.2) shape[below(rank)] = pick([130, 257, 600]);
  while (shape.reduce((a, b) => a * b, 1) > 20_000) shape[below(rank)] = 2;
  const dense = shape.map((_, a) => shape.slice(a + 1).reduce((n, s) => n * s, 1));
  const inputs = Array.from({ length: 1 + below(3) }, (_, i): LoopInput => {
    const kind = below(6);
    let strides = [...dense];
    if (kind === 2) strides = dense.map((s) => (random() < 0.5 ? 0 : s));
    if (kind === 3) {
      // A transposed tensor: strides of a random order of the axes.
      const order = shape.map((_, a) => a).sort(() => random() - 0.5);
      let step = 1;
      for (const a of order) {
        strides[a] = step;
        step *= shape[a] ?? 1;
      }
    }
    if (kind === 4) strides = dense.map((s) => (random() < 0.5 ? -s : s));
    if (kind === 5) strides = dense.map((s) => s * 2);
    const lane: Lane = i > 0 && random() < 0.2 ? 'i32' : 'f32';
    const [low] = reach({ lane, offset: 0, strides }, shape);
    return { lane, strides, offset: -low + below(3) };
  });
  const body: BodyNode[] = inputs.map((x, i) => load(i, x.lane));
  body.push(constant(pick([0, 0.5, 1, -2])));
  if (random() < 0.3) body.push(index(below(rank)));
  const of = (lane: Lane) => {
    const found = body.flatMap((n, i) => (n.lane === lane ? [i] : []));
    return found.length > 0 ? pick(found) : undefined;
  };
  for (let i = below(6); i > 0; i--) {
    const [x, y, z] = [of('f32') ?? 0, of('f32') ?? 0, of('f32') ?? 0];
    const [p, q] = [of('i32'), of('i32')];
    const choice = below(8);
    if (choice === 0) body.push(apply(pick(['relu', 'neg', 'abs', 'square', 'tanh', 'sigmoid', 'sign'] as const), [x]));
    else if (choice === 1) body.push(apply('madd', [x, y, z]));
    else if (choice === 2) body.push(apply(pick(['gt', 'le', 'ne'] as const), [x, y], 'i32'));
    else if (choice === 3 && p !== undefined) body.push(apply('select', [p, x, y]));
    else if (choice === 4 && p !== undefined) body.push(apply('toF32', [p]));
    else if (choice === 5 && p !== undefined && q !== undefined)
      body.push(apply(pick(['addI', 'maxI'] as const), [p, q], 'i32'));
    else body.push(apply(pick(['add', 'sub', 'mul', 'max', 'min'] as const), [x, y]));
  }
  const any = () => (random() < 0.5 ? body.length - 1 : below(body.length));
  const stores = Array.from({ length: below(3) }, () => ({ value: any() }));
  if (stores.length > 0 && random() < 0.4) return { shape, inputs, body, stores };
  const reductions = Array.from({ length: 1 + below(2) }, (): LoopReduce => {
    const value = any();
    const fn: ReduceFn =
      body[value]?.lane === 'f32'
        ? pick(['sum', 'sum', 'max', 'min', 'prod'] as const)
        : pick(['sumI', 'maxI', 'minI'] as const);
    return { value, fn };
  });
  return { shape, inputs, body, stores, reduced: shape.map(() => random() < 0.5), reductions };
}

test('random specs', () => {
  for (let seed = 0; seed < 300; seed++) check(randomSpec(seed), seed, [pickFeatures(seed)]);
});

const pickFeatures = (seed: number): Features =>
  ALL_FEATURES[seed % ALL_FEATURES.length] ?? { relaxed: false, wide: false };
