/** A checkpoint of variables, written: `variables.index` and its one data file, each tensor with the CRC of its bytes.
 *  tensorflow/core/protobuf/tensor_bundle.proto; `weights/tensorflow/tensorflow.ts` reads it. */

import { maskedCrc32c } from '../../weights/crc32c.ts';
import { Message } from '../../weights/protobuf-writer.ts';
import type { Shape } from '../graph/graph.ts';
import { dataTypes } from '../tensorflow/graph-def.ts';
import { joined, type TableRow, writeTable } from './table.ts';

export interface Variable {
  readonly name: string;
  readonly type: 'float32' | 'float16' | 'int8';
  readonly shape: Shape;
  /** Little-endian, row-major. */
  readonly bytes: Uint8Array;
}

/** The version of the format. */
const VERSION = 1;

export function writeBundle(variables: readonly Variable[]): { readonly index: Uint8Array; readonly data: Uint8Array } {
  const text = new TextEncoder();
  const header = new Message().integer(1, 1).message(3, new Message().integer(1, VERSION));
  const rows: TableRow[] = [{ key: new Uint8Array(), value: header.finish() }];
  let offset = 0;
  for (const { name, type, shape, bytes } of variables) {
    const entry = new Message()
      .integer(1, dataTypes[type].number)
      .message(2, shapeMessage(shape))
      .integer(4, offset)
      .integer(5, bytes.length)
      .fixed32(6, maskedCrc32c(bytes));
    rows.push({ key: text.encode(name), value: entry.finish() });
    offset += bytes.length;
  }
  return { index: writeTable(rows), data: joined(variables.map(({ bytes }) => bytes)) };
}

/** TensorShapeProto; −1 is a size that is open. */
export function shapeMessage(shape: Shape): Message {
  const message = new Message();
  for (const size of shape) message.message(2, new Message().integer(1, size));
  return message;
}
