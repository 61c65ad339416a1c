/** TFRecord frames, which event files consist of: u64 length, masked CRC-32C of it, data, masked CRC-32C of the data.
 *  https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details */

import { maskedCrc32c } from '../../weights/crc32c.ts';

export function tfRecord(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(data.length + 16);
  const view = new DataView(frame.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(frame.subarray(0, 8)), true);
  frame.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return frame;
}
