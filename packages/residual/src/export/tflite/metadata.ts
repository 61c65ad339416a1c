/** What a phone's library must know of a classifier to take a picture as it is: size, colours, normalisation, labels.
 *  Written as TFLite Metadata, with the labels and our own description packed behind the model. */

import { type ArtefactInfo, artefactFromTexts, artefactOf, artefactToTexts, type Precision } from '../artefact.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import { writeFlat } from './flat/write.ts';
import {
  COLOR_SPACE,
  DESCRIPTIONS,
  METADATA_IDENTIFIER,
  type MetadataValue,
  ModelMetadata,
  TENSOR_AXIS_LABELS,
} from './metadata-schema.ts';
import { type PackedFile, packedFiles } from './zip.ts';

/** One class name a line, in the order of the outputs. */
export const LABELS_FILE = 'labels.txt';

/** What the library itself keeps of a model beside its class names: the preprocessing with its resize rule. */
export const INFO_FILE = 'residual.json';

export function metadataOf(
  graph: InferenceGraph,
  precision: Precision,
): { readonly metadata: Uint8Array; readonly files: PackedFile[] } {
  const { name, input, classes, gives, preprocessing } = graph;
  const [height, width, channels] = input.shape;
  const { mean, std, resize } = preprocessing;
  // The library's formula is (byte − mean) / std.
  const bytes = input.range === 'bytes';
  const normalization = {
    mean: bytes ? [0] : mean.map((value) => value * 255),
    std: bytes ? [1] : std.map((value) => value * 255),
  };
  const limits = (byte: 0 | 255) =>
    bytes ? [byte] : mean.map((_, c) => (byte - normalization.mean[c]) / normalization.std[c]);
  const value: MetadataValue = {
    name,
    description: `Image classifier of ${classes.length} classes`,
    version: '1',
    subgraphMetadata: [
      {
        inputTensorMetadata: [
          {
            name: 'image',
            description: `A picture of ${height} × ${width} pixels; other sizes become one by "${resize}".`,
            content: {
              contentProperties: {
                type: 'ImageProperties',
                value: {
                  colorSpace: channels === 1 ? COLOR_SPACE.grayscale : COLOR_SPACE.rgb,
                  defaultSize: { width, height },
                },
              },
            },
            processUnits: [{ options: { type: 'NormalizationOptions', value: normalization } }],
            stats: { min: limits(0), max: limits(255) },
          },
        ],
        outputTensorMetadata: [
          {
            name: gives === 'probabilities' ? 'probability' : 'logit',
            description: `One ${gives === 'probabilities' ? 'probability' : 'logit'} for each class.`,
            content: { contentProperties: { type: 'FeatureProperties', value: {} } },
            ...(gives === 'probabilities' && { stats: { min: [0], max: [1] } }),
            associatedFiles: [{ name: LABELS_FILE, description: 'The name of each class.', type: TENSOR_AXIS_LABELS }],
          },
        ],
      },
    ],
    associatedFiles: [{ name: INFO_FILE, description: 'How pictures are prepared.', type: DESCRIPTIONS }],
    minParserVersion: '1.0.0',
  };
  // Class names are in the labels already, and thousands of them take their place.
  const { labels: _, preprocessing: prepared = '', ...others } = artefactToTexts(artefactOf(graph, 'NHWC', precision));
  const info = { ...others, preprocessing: JSON.parse(prepared) as unknown };
  const text = (content: string) => new TextEncoder().encode(content);
  return {
    metadata: writeFlat(ModelMetadata, value, METADATA_IDENTIFIER),
    files: [
      { name: LABELS_FILE, data: text(classes.map((label) => `${label.replace(/[\r\n]+/g, ' ')}\n`).join('')) },
      { name: INFO_FILE, data: text(`${JSON.stringify(info)}\n`) },
    ],
  };
}

/**
 * What a file of ours says of itself.
 *
 * @param file for messages
 * @throws ModelError where it says nothing, e.g. because other programs wrote it
 */
export function artefactInTflite(bytes: Uint8Array, file: string): ArtefactInfo {
  const packed = new Map(packedFiles(bytes).map(({ name, data }) => [name, new TextDecoder().decode(data)]));
  const labels = packed.get(LABELS_FILE)?.split('\n').slice(0, -1);
  const { preprocessing, ...texts } = parsed(packed.get(INFO_FILE)) as Record<string, unknown>;
  return artefactFromTexts(
    {
      ...(texts as Readonly<Record<string, string>>),
      ...(labels && { labels: JSON.stringify(labels) }),
      ...(preprocessing !== undefined && { preprocessing: JSON.stringify(preprocessing) }),
    },
    file,
  );
}

function parsed(text = '{}'): unknown {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
