/** TensorBoard's events: tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto, field by field.
 *  Each function gives one framed record. */

import { Message } from '../../weights/protobuf-writer.ts';
import type { Histogram } from './histogram.ts';
import { tfRecord } from './record.ts';

/** `SessionLog.SessionStatus.START`: a reader forgets what it saw of this step and later ones. */
const START = 1;

export interface ImageSummary {
  readonly height: number;
  readonly width: number;
  /** Also `Summary.Image.colorspace`: 1 is grey, 3 is RGB. */
  readonly channels: 1 | 3;
  readonly png: Uint8Array;
}

/** One named value of a step. */
export type SummaryValue =
  | { readonly tag: string; readonly scalar: number }
  | { readonly tag: string; readonly image: ImageSummary }
  | { readonly tag: string; readonly histogram: Histogram };

/** The first record of a file. */
export function versionEvent(seconds: number): Uint8Array<ArrayBuffer> {
  return tfRecord(new Message().double(1, seconds).string(3, 'brain.Event:2').finish());
}

/** A (re)start at a step: readers purge what came before from there on. */
export function startEvent(seconds: number, step: number): Uint8Array<ArrayBuffer> {
  const log = new Message().integer(1, START);
  return tfRecord(new Message().double(1, seconds).integer(2, step).message(7, log).finish());
}

export function summaryEvent(seconds: number, step: number, values: readonly SummaryValue[]): Uint8Array<ArrayBuffer> {
  const summary = new Message();
  for (const value of values) summary.message(1, valueMessage(value));
  return tfRecord(new Message().double(1, seconds).integer(2, step).message(5, summary).finish());
}

function valueMessage(value: SummaryValue): Message {
  const message = new Message().string(1, value.tag);
  if ('scalar' in value) return message.float(2, value.scalar);
  if ('image' in value) {
    const { height, width, channels, png } = value.image;
    const image = new Message().integer(1, height).integer(2, width).integer(3, channels).bytes(4, png);
    return message.message(4, image);
  }
  const { min, max, count, sum, sumOfSquares, limits, counts } = value.histogram;
  const histogram = new Message().double(1, min).double(2, max).double(3, count).double(4, sum);
  return message.message(5, histogram.double(5, sumOfSquares).doubles(6, limits).doubles(7, counts));
}
