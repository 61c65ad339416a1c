/** Runs a quantized network in integers, on backends that have kernels for them: what phones compute, bit by bit.
 *  Weights stay 8 bits in memory; layers that the quantization spares compute in floats in between. */

import * as tf from '@tensorflow/tfjs-core';
import { type Constant, constantsOf, type InferenceGraph, shapesOf, sizeOf } from '../../export/graph/graph.ts';
import { applyNode, checkRun, type RunningGraph } from '../../export/graph/run.ts';
import { traced } from '../../models/traced.ts';
import type { Quantization } from '../parameters.ts';
import { packParameters, wordsOf } from './packing.ts';
import { type Constants, rulesOf, runKernel, type Step, stepOf } from './steps.ts';

/** Whether the backend that is set computes with 8-bit integers. Of TF.js's backends, `jit` does. */
function hasIntegerKernels(): boolean {
  return tf.getKernel('Int8Conv2D', tf.getBackend()) !== undefined;
}

/** A value on its way: as integers, as floats, or both. */
interface Held {
  integers?: tf.Tensor;
  floats?: tf.Tensor;
}

/**
 * Opens a quantized graph for integers.
 *
 * @returns undefined where the backend has no kernels for them, or cannot compute a node exactly (a sum might leave 32
 *   bits, or what must have one scale has two)
 * @example const running = openIntegers(graph, quantization) ?? openSimulated(graph, quantization)
 */
export function openIntegers(graph: InferenceGraph, quantization: Quantization): RunningGraph | undefined {
  if (!hasIntegerKernels()) return undefined;
  const shapes = shapesOf(graph);
  const steps = new Map<string, Step>();
  for (const node of graph.nodes) {
    if (quantization.float.has(node.name)) continue;
    const step = stepOf(node, { quantization, shapes });
    if (step === undefined) return undefined;
    steps.set(node.name, step);
  }
  const kept: tf.Tensor[] = [];
  const keep = (values: Float32Array | Int32Array, shape: readonly number[], dtype: 'float32' | 'int32') => {
    const tensor = tf.keep(tf.tensor(values, [...shape], dtype));
    kept.push(tensor);
    return tensor;
  };
  const uploaded = new Map([...steps].map(([name, { constants }]) => [name, upload(constants, keep)]));
  const floats = new Map<Constant, tf.Tensor>();
  for (const node of graph.nodes.filter(({ name }) => quantization.float.has(name))) {
    for (const constant of Object.values(constantsOf(node))) {
      floats.set(constant, keep(constant.values, constant.shape, 'float32'));
    }
  }
  const parameters = new Map(
    Object.entries(quantization.values).map(([name, value]) => [name, keep(packParameters(value), [2], 'int32')]),
  );
  const size = sizeOf(graph.input.shape);
  const { rounding } = rulesOf(quantization);

  function compute(given: tf.Tensor, wanted: readonly string[]): tf.Tensor[] {
    const batch = given.shape[0] ?? 0;
    const values = new Map<string, Held>();
    const shapeOf = (name: string) => [batch, ...(shapes.get(name) ?? [])];
    const held = (name: string): Held => {
      const value = values.get(name);
      if (!value) throw new Error(`internal: ${name} is not made yet`);
      return value;
    };
    const of = (name: string): tf.Tensor => {
      const tensor = parameters.get(name);
      if (!tensor) throw new Error(`internal: ${name} has no scale`);
      return tensor;
    };
    const quantized = (name: string, x: tf.Tensor) =>
      runKernel('Int8Quantize', { x, parameters: of(name) }, { shape: shapeOf(name), rounding });
    const integersOf = (name: string): tf.Tensor => {
      const value = held(name);
      value.integers ??= quantized(name, value.floats as tf.Tensor);
      return value.integers;
    };
    /** A value that floats made, or the input: integers from here on where the file rounds it whoever reads it. */
    const received = (name: string, x: tf.Tensor): Held =>
      quantization.rules === 'onnx' && parameters.has(name) ? { integers: quantized(name, x) } : { floats: x };
    const floatsOf = (name: string): tf.Tensor => {
      const value = held(name);
      const shape = shapeOf(name);
      value.floats ??= runKernel('Int8Dequantize', { x: value.integers as tf.Tensor, parameters: of(name) }, { shape });
      return value.floats;
    };
    values.set(graph.input.name, received(graph.input.name, given));
    for (const node of graph.nodes) {
      const step = steps.get(node.name);
      if (step === undefined) {
        const made = applyNode(node, node.inputs.map(floatsOf), (constant) => floats.get(constant) as tf.Tensor);
        values.set(node.output, received(node.output, made));
      } else {
        const made = step.call(node.inputs.map(integersOf), uploaded.get(node.name) ?? {}, batch);
        values.set(node.output, { integers: tf.reshape(made, wordsOf(shapeOf(node.output))) });
      }
    }
    return wanted.map((name) => {
      // An input that is read as integers is told as they have it.
      if (name === graph.input.name && held(name).integers) delete held(name).floats;
      return floatsOf(name);
    });
  }

  const outputOf = traced(
    (given: tf.Tensor) => compute(given, [graph.output])[0] as tf.Tensor,
    () => kept,
  );
  return {
    graph,
    async run(images, wanted = [graph.output]) {
      checkRun(graph, images, wanted);
      const outputs = tf.tidy(() => {
        const given = tf.tensor(Float32Array.from(images), [images.length / size, ...graph.input.shape], 'float32');
        const all = wanted.length === 1 && wanted[0] === graph.output;
        return all ? [outputOf(given)] : compute(given, wanted);
      });
      try {
        const all = await Promise.all(outputs.map((tensor) => tensor.data()));
        return new Map(all.map((numbers, i) => [wanted[i], numbers as Float32Array]));
      } finally {
        tf.dispose(outputs);
      }
    },
    dispose() {
      tf.dispose(kept);
      kept.length = 0;
    },
  };
}

function upload(
  constants: Constants,
  keep: (values: Int32Array, shape: readonly number[], dtype: 'int32') => tf.Tensor,
): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(constants).map(([name, values]) => [name, keep(values, [values.length], 'int32')]),
  );
}
