import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { predict } from '../models/inference.ts';
import { adamW } from './adamw.ts';
import { binaryCrossEntropy, crossEntropy, distillation, focal } from './losses.ts';
import { sgd } from './sgd.ts';
import { type StepInput, type StepOptions, trainingStep } from './step.ts';
import { tinyModel, weightsOf } from './testing.ts';

/** A convolution and a classifier without BN, so that micro-batches change nothing. */
function plainModel(activation: 'softmax' | 'sigmoid' | 'linear' = 'softmax'): tfl.LayersModel {
  const seed = { kernelInitializer: tfl.initializers.glorotUniform({ seed: 4 }) };
  const kernelRegularizer = tfl.regularizers.l2({ l2: 0.01 });
  return tfl.sequential({
    layers: [
      tfl.layers.conv2d({
        inputShape: [8, 8, 1],
        name: 'conv',
        filters: 3,
        kernelSize: 3,
        strides: 2,
        ...seed,
        kernelRegularizer,
      }),
      tfl.layers.reLU(),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 3, name: 'fc', activation, ...seed }),
    ],
  });
}

function input(size = 7, more: Partial<StepInput> = {}): StepInput {
  const images = tf.tidy(() => tf.randomNormal([size, 8, 8, 1], 0, 1, 'float32', 3).dataSync() as Float32Array);
  return { images, labels: Int32Array.from({ length: size }, (_, i) => (i * 2) % 3), size, ...more };
}

/** Loss and weights after so many steps. */
async function after(model: tfl.LayersModel, options: Partial<StepOptions>, given: StepInput, steps = 1) {
  const step = trainingStep(model, { optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }), ...options });
  const outputs = [];
  for (let i = 0; i < steps; i++) outputs.push(await step(given));
  step.dispose();
  return { outputs, weights: await weightsOf(model), logits: await predict(model, given.images) };
}

function near(a: Record<string, Float32Array>, b: Record<string, Float32Array>, tolerance: number): void {
  const names = Object.values(a);
  Object.values(b).forEach((values, i) => {
    values.forEach((value, j) => {
      assert.ok(Math.abs(value - (names[i]?.[j] ?? Number.NaN)) <= tolerance, `${Object.keys(a)[i]} ${j}: ${value}`);
    });
  });
}

test('micro-batches give the result of the whole batch, whatever their size, clipping included', async () => {
  for (const options of [
    {},
    { clip: { globalNorm: 0.1 } },
    { loss: focal(), classWeights: [1, 2, 3] },
    { optimizer: undefined },
  ]) {
    const make = () => {
      const { optimizer, ...rest } = { optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }), ...options };
      return { ...rest, optimizer: optimizer ?? adamW({ learningRate: 0.01, epsilon: 1e-3 }) } as StepOptions;
    };
    const whole = await after(plainModel(), make(), input(), 3);
    for (const microBatch of [1, 2, 3, 6, 7, 99]) {
      const parts = await after(plainModel(), { ...make(), microBatch }, input(), 3);
      near(whole.weights, parts.weights, 1e-6);
      parts.outputs.forEach(({ loss, correct }, i) => {
        assert.ok(Math.abs(loss - (whole.outputs[i]?.loss ?? 9)) < 1e-5);
        assert.equal(correct, whole.outputs[i]?.correct);
      });
    }
  }
});

test('micro-batches give the same bits each time, steps may be asked for ahead, and no tensor stays behind', async () => {
  const run = async (ahead: boolean) => {
    const model = tinyModel();
    const before = tf.memory().numTensors;
    const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
    const step = trainingStep(model, { optimizer, microBatch: 3 });
    const batches = [input(7), input(8), input(5)];
    const outputs = ahead ? await Promise.all(batches.map((batch) => step(batch))) : [];
    if (!ahead) for (const batch of batches) outputs.push(await step(batch));
    step.dispose();
    optimizer.dispose();
    assert.equal(tf.memory().numTensors, before);
    return { outputs, weights: await weightsOf(model) };
  };
  assert.deepEqual(await run(true), await run(false));
});

test('a mixed batch learns both labels by their shares', async () => {
  const labels = Int32Array.of(0, 1, 2, 1);
  const partners = Int32Array.of(1, 1, 0, 2);
  const shares = Float32Array.of(0.75, 0.5, 1, 0.25);
  const mixed = await after(
    plainModel(),
    { loss: crossEntropy({ labelSmoothing: 0.3 }) },
    {
      ...input(4),
      labels,
      partners,
      shares,
    },
  );
  const rows = [
    [0.75, 0.25, 0],
    [0, 1, 0],
    [0, 0, 1],
    [0, 0.25, 0.75],
  ].flat();
  const soft = await after(
    plainModel(),
    { loss: crossEntropy({ labelSmoothing: 0.3 }) },
    {
      ...input(4),
      labels,
      targets: Float32Array.from(rows),
    },
  );
  near(mixed.weights, soft.weights, 1e-7);
  // What counts as right: the share of the label that was predicted, of the initial weights.
  const predicted = (await predict(plainModel(), input(4).images)).map((row) => row.indexOf(Math.max(...row)));
  const right = predicted.reduce((sum, label, i) => sum + (rows[3 * i + label] ?? 0), 0);
  assert.ok(Math.abs((mixed.outputs[0]?.correct ?? 9) - right) < 1e-6);
  const whole = Float32Array.of(1, 1, 1, 1);
  const unmixed = await after(plainModel(), {}, { ...input(4), partners, shares: whole });
  near(unmixed.weights, (await after(plainModel(), {}, input(4))).weights, 1e-7);
});

test('class weights multiply each image by its class, mixed ones by their shares', async () => {
  const options = { optimizer: sgd({ learningRate: 0 }), classWeights: [1, 4, 0.5] };
  const alone = async (label: number) => {
    const one = { ...input(1), labels: Int32Array.of(label) };
    return (await after(plainModel(), { optimizer: sgd({ learningRate: 0 }) }, one)).outputs[0]?.loss ?? 9;
  };
  const { outputs } = await after(plainModel(), options, { ...input(1), labels: Int32Array.of(1) });
  const penalty = await penaltyOf(plainModel());
  const entropy = (await alone(1)) - penalty;
  assert.ok(Math.abs((outputs[0]?.loss ?? 9) - (4 * entropy + penalty)) < 1e-5);
  const mixed = {
    ...input(1),
    labels: Int32Array.of(1),
    partners: Int32Array.of(2),
    shares: Float32Array.of(0.25),
  };
  const both = 0.25 * entropy + 0.75 * ((await alone(2)) - penalty);
  const weighted = (await after(plainModel(), options, mixed)).outputs[0]?.loss ?? 9;
  assert.ok(Math.abs(weighted - ((0.25 * 4 + 0.75 * 0.5) * both + penalty)) < 1e-5);
});

async function penaltyOf(model: tfl.LayersModel): Promise<number> {
  const kernel = (await weightsOf(model))['conv/kernel'] ?? new Float32Array();
  return 0.01 * kernel.reduce((sum, value) => sum + value * value, 0);
}

test('many labels per image are learned from multi-hot targets', async () => {
  const targets = Float32Array.from([1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0]);
  const model = plainModel('sigmoid');
  const { outputs, logits } = await after(model, { loss: binaryCrossEntropy() }, { ...input(4), targets }, 80);
  assert.equal(outputs.at(-1)?.correct, 4);
  logits
    .flatMap((row) => [...row])
    .forEach((p, i) => {
      assert.equal(p > 0.5, targets[i] === 1);
    });
  const first = (await predict(plainModel('sigmoid'), input(4).images)).flatMap((row) => [...row]);
  const expected = first.reduce((sum, p, i) => sum - Math.log(targets[i] === 1 ? p : 1 - p), 0) / 12;
  assert.ok(Math.abs((outputs[0]?.loss ?? 9) - expected - (await penaltyOf(plainModel()))) < 1e-5);
  const right = first.filter((p, i) => p > 0.5 === (targets[i] === 1)).length / 3;
  assert.ok(Math.abs((outputs[0]?.correct ?? 9) - right) < 1e-5);
});

test('a student learns what its teacher thinks, though they were normalised differently', async () => {
  const teacher = plainModel();
  await after(teacher, {}, input(8), 30);
  const frozen = await weightsOf(teacher);
  const normalize = { mean: [0.5], std: [0.25] };
  const own = { mean: [0.25], std: [0.5] };
  // The same pixels as the student and as the teacher sees them.
  const images = input(8).images;
  const forStudent = images.map((value) => (value * 0.5 + 0.25 - 0.5) / 0.25);
  const student = tinyModel();
  const loss = distillation({ teacher, temperature: 2, alpha: 1, preprocessing: own });
  const step = trainingStep(student, { optimizer: adamW({ learningRate: 0.02 }), loss, normalize });
  const wrongLabels = Int32Array.from({ length: 8 }, () => 0);
  const losses: number[] = [];
  for (let i = 0; i < 60; i++) losses.push((await step({ images: forStudent, labels: wrongLabels, size: 8 })).loss);
  assert.ok((losses.at(-1) ?? 9) < 0.05 * (losses[0] ?? 0), `${losses[0]} to ${losses.at(-1)}`);
  assert.deepEqual(await weightsOf(teacher), frozen);
  const classOf = (row: Float64Array) => row.indexOf(Math.max(...row));
  const examine = trainingStep(student, { optimizer: sgd({ learningRate: 0 }) });
  const taught = (await predict(teacher, images)).map(classOf);
  const { correct } = await examine({ images: forStudent, labels: Int32Array.from(taught), size: 8 });
  assert.equal(correct, 8);
});

test('a loss that does not fit the model or the batch is refused', async () => {
  const make = (options: Partial<StepOptions>, model = plainModel()) =>
    trainingStep(model, { optimizer: sgd({ learningRate: 0.1 }), ...options });
  assert.throws(
    () => make({ loss: binaryCrossEntropy() }),
    /binaryCrossEntropy needs a model that ends in sigmoid, this one ends in softmax/,
  );
  assert.throws(
    () => make({ loss: focal({ alpha: [1, 2] }) }),
    /focal: alpha must be one for each of 3 classes, received 2/,
  );
  assert.throws(() => make({ classWeights: [1] }), /classWeights must be one for each of 3 classes, received 1/);
  const other = tfl.sequential({
    layers: [tfl.layers.flatten({ inputShape: [4, 4, 1] }), tfl.layers.dense({ units: 3 })],
  });
  assert.throws(
    () => make({ loss: distillation({ teacher: other }) }),
    /the teacher .* has 4 x 4 x 1 and 3 classes, the student 8 x 8/,
  );
  await assert.rejects(
    make({})({ ...input(2), targets: new Float32Array(5) }),
    /targets must be 2 x 3 values, received 5/,
  );
  await assert.rejects(make({})({ ...input(2), partners: Int32Array.of(1, 2) }), /needs both partners and shares/);
});
