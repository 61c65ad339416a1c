/** Where a file parts from the model that it was made of: value by value, as the file's own runtime computes them. */

import { Likeness } from '../quantize/signal.ts';
import type { InferenceGraph, Op } from './graph/graph.ts';
import { openGraph } from './graph/run.ts';
import type { Pictures } from './measure.ts';
import { inputOf } from './quantized.ts';
import type { RunningValues } from './runtime.ts';

/** What one layer gives in the file, beside what it gives in floats. */
export interface LayerAgreement {
  readonly layer: string;
  readonly op: Op;
  /** In decibels; infinite where every number is the same. */
  readonly sqnr: number;
  /** Of the angle between all numbers of the one and all of the other. */
  readonly cosine: number;
}

export interface LayersOptions {
  /** Pictures at a time. Default 16. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Runs pictures through the graph in floats, in our own engine, and through the file in its runtime.
 *
 * @param graph that the file was written from: the equalised one, where it was
 * @returns a row for each layer whose value the runtime shows, in the graph's order
 */
export async function layerAgreement(
  graph: InferenceGraph,
  file: RunningValues,
  pictures: Pictures,
  { batchSize = 16, signal, onProgress }: LayersOptions = {},
): Promise<LayerAgreement[]> {
  const layers = graph.nodes.filter(({ output }) => file.values.includes(output));
  const likeness = new Map(layers.map(({ output }) => [output, new Likeness()]));
  const running = openGraph(graph);
  let done = 0;
  try {
    for await (const { bytes } of pictures.batches(batchSize)) {
      signal?.throwIfAborted();
      const size = bytes.length / graph.input.shape.reduce((a, b) => a * b);
      if (size === 0) continue;
      const expected = await running.run(inputOf(graph, bytes), [...likeness.keys()]);
      // The graph and the file may differ in who normalises: each gets what it takes.
      const asFile = { ...graph, input: { ...graph.input, range: file.info.range } };
      const given = await file.run(inputOf(asFile, bytes), size);
      for (const [value, sums] of likeness) sums.add(expected.get(value) ?? [], given.get(value) ?? []);
      done += size;
      onProgress?.(done, pictures.count);
    }
  } finally {
    running.dispose();
  }
  return layers.map(({ name, op, output }) => {
    const { sqnr, cosine } = likeness.get(output) as Likeness;
    return { layer: name, op, sqnr, cosine };
  });
}
