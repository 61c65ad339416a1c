/** What an exported file says of itself: class names and preprocessing, in every format the same words.
 *  Whoever finds the file can prepare pictures for it and read its answers without asking. */

import { beforeCut } from '../data/cut.ts';
import type { Interpolation } from '../data/dataset.ts';
import { ModelError } from '../models/errors.ts';
import type { Preprocessing } from '../models/info.ts';
import type { InferenceGraph } from './graph/graph.ts';

/** How the numbers of a picture lie in the input: channels first or last, the batch before them. */
export type Layout = 'NCHW' | 'NHWC';

/** How a file keeps its numbers. */
export type Precision = (typeof precisions)[number];

export const precisions = ['float32', 'float16', 'dynamic', 'int8'] as const;

const interpolations: readonly Interpolation[] = ['nearest', 'bilinear', 'bicubic', 'lanczos'];

export interface ArtefactInfo {
  readonly architecture: string;
  /** In the order of the outputs. */
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly layout: Layout;
  /** `normalised`: (byte / 255 − mean) / std is the caller's work. `bytes`: numbers 0–255 as the picture has them. */
  readonly range: 'normalised' | 'bytes';
  readonly gives: 'logits' | 'probabilities';
  readonly precision: Precision;
}

export function artefactOf(graph: InferenceGraph, layout: Layout, precision: Precision): ArtefactInfo {
  const { name: architecture, classes, preprocessing, input, gives } = graph;
  return { architecture, classes, preprocessing, layout, range: input.range, gives, precision };
}

/** Named texts, as formats keep them: `labels` and `preprocessing` are JSON, which every platform can read. */
export function artefactToTexts(info: ArtefactInfo): Readonly<Record<string, string>> {
  const { architecture, classes, preprocessing, layout, range, gives, precision } = info;
  const { inputShape, resize, crop, interpolation, mean, std } = preprocessing;
  return {
    architecture,
    labels: JSON.stringify(classes),
    // A cut and a filter that are the usual ones are not said.
    preprocessing: JSON.stringify({
      ...{ inputShape, resize, crop, interpolation, mean, std },
      ...{ channels: channelOrder(info), layout, range },
    }),
    gives,
    precision,
  };
}

/**
 * @param file for messages
 * @throws ModelError where the texts are not those of `artefactToTexts`
 */
export function artefactFromTexts(texts: Readonly<Record<string, string>>, file: string): ArtefactInfo {
  const fail = () =>
    new ModelError(`${file}: does not say its labels and preprocessing as files of residual export do`);
  const { architecture = '', labels, preprocessing, gives } = texts;
  const precision = precisions.find((one) => one === texts.precision);
  if (labels === undefined || preprocessing === undefined || precision === undefined) throw fail();
  if (gives !== 'logits' && gives !== 'probabilities') throw fail();
  const classes = parse(labels, fail);
  const said = parse(preprocessing, fail) as Partial<Preprocessing & Pick<ArtefactInfo, 'layout' | 'range'>> | null;
  const numbers = (value: unknown, length: number): value is number[] =>
    Array.isArray(value) && value.length === length && value.every((one) => Number.isFinite(one));
  const { inputShape, resize, crop, interpolation, mean, std, layout, range } = said ?? {};
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === 'string')) throw fail();
  if (!numbers(inputShape, 3) || !numbers(mean, inputShape[2]) || !numbers(std, inputShape[2])) throw fail();
  if (resize !== 'cover' && resize !== 'contain' && resize !== 'stretch') throw fail();
  if (crop !== undefined && !(typeof crop === 'number' && crop > 0 && crop <= 1)) throw fail();
  if (interpolation !== undefined && !interpolations.includes(interpolation)) throw fail();
  if (layout !== 'NCHW' && layout !== 'NHWC') throw fail();
  if (range !== 'normalised' && range !== 'bytes') throw fail();
  const [height = 0, width = 0, channels = 0] = inputShape;
  const details = { ...(crop !== undefined && { crop }), ...(interpolation !== undefined && { interpolation }) };
  const prepared: Preprocessing = { inputShape: [height, width, channels], resize, ...details, mean, std };
  return { architecture, classes, preprocessing: prepared, layout, range, gives, precision };
}

/** One paragraph for people: how a picture becomes the input, and what comes out. */
export function artefactSentence(info: ArtefactInfo): string {
  const { preprocessing, classes, layout, range, gives } = info;
  const [height, width, channels] = preprocessing.inputShape;
  const [rows, columns] = beforeCut(preprocessing.inputShape, preprocessing);
  const size = `${columns} x ${rows}`;
  const scaled = {
    cover: `scaled to cover ${size} pixels and cropped at the centre`,
    contain: `scaled to fit into ${size} pixels and padded with black`,
    stretch: `scaled to ${size} pixels whatever its aspect ratio`,
  }[preprocessing.resize];
  const cut = rows === height && columns === width ? '' : `, of which the centre, ${width} x ${height}, is cut out`;
  const filter = preprocessing.interpolation === undefined ? '' : ` (${preprocessing.interpolation})`;
  const resized = `${scaled}${filter}${cut}`;
  const shape =
    layout === 'NCHW' ? `[batch, ${channels}, ${height}, ${width}]` : `[batch, ${height}, ${width}, ${channels}]`;
  const numbers =
    range === 'bytes'
      ? 'its bytes 0-255 as they are'
      : `(byte / 255 - mean) / std with mean ${preprocessing.mean.join(', ')} and std ${preprocessing.std.join(', ')}`;
  return (
    `Input ${shape}, ${channelOrder(info)}: a picture ${resized}, ${numbers}. ` +
    `Output [batch, ${classes.length}]: ${gives}, of the classes in the property labels.`
  );
}

function channelOrder({ preprocessing }: ArtefactInfo): string {
  const [, , channels] = preprocessing.inputShape;
  return channels === 3 ? 'RGB' : channels === 1 ? 'grey' : `${channels} channels`;
}

function parse(text: string, fail: () => ModelError): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fail();
  }
}
