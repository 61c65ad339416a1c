/** Why an exported file says what it says: layer by layer in its runtime, and what each layer of integers costs. */

import type { Dataset } from '../data/dataset.ts';
import { subset } from '../data/subset.ts';
import { count } from '../evaluate/report-format.ts';
import type { ExportFile, ExportFormat } from '../export/format.ts';
import type { InferenceGraph } from '../export/graph/graph.ts';
import { type LayerAgreement, layerAgreement } from '../export/layers.ts';
import { picturesOf } from '../export/measure.ts';
import { inputOf } from '../export/quantized.ts';
import { objections } from '../export/verdict.ts';
import type { QuantizedGraph } from '../quantize/post-training.ts';
import {
  type LabelledImages,
  type LayerSensitivity,
  type Mending,
  mend,
  sensitivityOf,
} from '../quantize/sensitivity.ts';
import { CommandError } from './command.ts';
import { atMost } from './evaluation-data.ts';

/** How far the layers of a file agree with the model. */
export interface ExplainedLayers {
  readonly rows: readonly LayerAgreement[];
  readonly runtime: string;
  readonly images: number;
}

/** What the layers of an int8 file cost. */
export interface ExplainedSensitivity {
  /** In the order of the graph. */
  readonly rows: readonly LayerSensitivity[];
  readonly images: number;
  /** Layers to spare, where the file was refused; missing where sparing a third of them would not help. */
  readonly mending?: Mending | undefined;
  /** Whether a mending was looked for. */
  readonly refused: boolean;
}

export interface Explaining {
  readonly signal: AbortSignal;
  /** What goes on, for the live line. */
  readonly say: (text: string) => void;
}

/** Each layer is a sum over thousands of numbers of every image: few are enough. */
const LAYER_IMAGES = 64;

/** @throws CommandError where the format's runtime does not show what its layers make */
export async function explainLayers(
  format: ExportFormat,
  files: readonly ExportFile[],
  graph: InferenceGraph,
  dataset: Dataset,
  { signal, say }: Explaining,
): Promise<ExplainedLayers> {
  if (!format.openValues) throw new CommandError(`${format.title} files do not show what their layers make`);
  const file = await format.openValues(files, graph);
  const some = atMost(dataset, LAYER_IMAGES);
  try {
    const rows = await layerAgreement(graph, file, picturesOf(some), {
      signal,
      onProgress: (done, total) => say(`comparing layers: ${count(done)} of ${count(total)} images`),
    });
    return { rows, runtime: file.runtime, images: some.size };
  } finally {
    await file.close();
  }
}

/** Each is run once for every layer. */
const SENSITIVITY_IMAGES = 256;
const BATCH = 32;

/**
 * @param dataset not the one that the verdict rests on: layers are chosen by it
 * @param refused looks for layers to spare as well
 */
export async function explainSensitivity(
  quantized: QuantizedGraph,
  dataset: Dataset,
  { refused, maxDrop, signal, say }: Explaining & { readonly refused: boolean; readonly maxDrop: number },
): Promise<ExplainedSensitivity> {
  const some = atMost(dataset, SENSITIVITY_IMAGES);
  // Whole batches: a backend that compiles would compile every layer's network once more for a smaller last one.
  const whole =
    some.size > BATCH
      ? subset(
          some,
          Int32Array.from({ length: some.size - (some.size % BATCH) }, (_, i) => i),
        )
      : some;
  const batches: LabelledImages[] = [];
  for await (const { bytes, labels } of picturesOf(whole).batches(BATCH)) {
    batches.push({ images: inputOf(quantized.graph, bytes), labels });
  }
  const rows = await sensitivityOf(quantized, batches, {
    signal,
    onProgress: (done, total) => say(`sensitivity: layer ${Math.min(done + 1, total)} of ${total}`),
  });
  const images = whole.size;
  if (!refused) return { rows, images, refused };
  const mending = await mend(
    quantized,
    batches,
    rows,
    ({ same, accuracy, floatAccuracy }) =>
      objections(
        { precision: 'int8', agreement: { same, difference: 0 }, accuracy, originalAccuracy: floatAccuracy },
        maxDrop,
      ).length === 0,
    { signal, onProgress: (spared) => say(`sensitivity: sparing ${spared + 1}`) },
  );
  return { rows, images, mending, refused };
}
