/** Runs representative images through a graph and notes between which numbers every value lies.
 *  What counts as "between" is the observer's choice; the plain one takes the smallest and the largest. */

import { type InferenceGraph, openGraph, sizeOf } from '../export/graph/index.ts';
import { ModelError } from '../models/errors.ts';
import { minMax } from './observers/min-max.ts';
import type { Observer } from './observers/observer.ts';
import type { ValueRange } from './parameters.ts';

export { minMax, type Observer };

export interface CalibrateOptions {
  /** Makes the observer of a value. Default {@link minMax}. */
  readonly observer?: (value: string) => Observer;
  /** Gets all numbers of every value as well: for what else is to be learnt from the same images. */
  readonly onValue?: (value: string, numbers: Float32Array) => void;
  /** Stops between two batches, with the signal's reason as the error. */
  readonly signal?: AbortSignal;
  /** After each batch. */
  readonly onProgress?: (images: number) => void;
}

/**
 * The range of every value of a graph, its input included.
 *
 * @param batches some hundred images in all, as the graph's input wants them; they should be like those to come
 * @throws ModelError where there is no image, or a value is not finite
 * @example const ranges = await calibrate(graph, [images]); const quantization = assignQuantization(graph, ranges)
 */
export async function calibrate(
  graph: InferenceGraph,
  batches: AsyncIterable<Float32Array | Uint8Array> | Iterable<Float32Array | Uint8Array>,
  { observer = minMax, onValue, signal, onProgress }: CalibrateOptions = {},
): Promise<Map<string, ValueRange>> {
  const names = [graph.input.name, ...graph.nodes.map(({ output }) => output)];
  const observers = new Map(names.map((name) => [name, observer(name)]));
  const pixels = sizeOf(graph.input.shape);
  const running = openGraph(graph);
  let images = 0;
  try {
    for await (const batch of batches) {
      signal?.throwIfAborted();
      for (const [name, numbers] of await running.run(batch, names)) {
        observers.get(name)?.observe(numbers);
        onValue?.(name, numbers);
      }
      images += batch.length / pixels;
      onProgress?.(images);
    }
  } finally {
    running.dispose();
  }
  if (images === 0) throw new ModelError('calibration needs at least one image');
  const ranges = new Map([...observers].map(([name, watching]) => [name, watching.range()]));
  for (const [name, { min, max }] of ranges) {
    if (!Number.isFinite(max - min)) {
      throw new ModelError(`calibration: ${name} of ${graph.name} is not finite: from ${min} to ${max}`);
    }
  }
  return ranges;
}
