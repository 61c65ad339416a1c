/** CIFAR's binary batches (https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version"), bytes in, arrays out. */
import { DataError } from './errors.ts';

export const CIFAR_SIZE = 32;
const PLANE = CIFAR_SIZE * CIFAR_SIZE;
const IMAGE = 3 * PLANE;

/** Bytes of one record: CIFAR-10 has one label before the pixels, CIFAR-100 two (coarse, then fine). */
export function cifarRecord(labelBytes: 1 | 2): number {
  return labelBytes + IMAGE;
}

/**
 * How many images a batch file holds.
 *
 * @param name for messages: the file
 * @throws DataError where it is empty or breaks off within a record
 */
export function cifarCount(bytes: Uint8Array, labelBytes: 1 | 2, name: string): number {
  const record = cifarRecord(labelBytes);
  if (bytes.length === 0 || bytes.length % record !== 0) {
    const whole = Math.max(1, Math.ceil(bytes.length / record));
    throw new DataError(
      `${name} is truncated: it must hold whole records of ${record} bytes, expected ${whole * record} bytes for ${whole}, found ${bytes.length}`,
    );
  }
  return bytes.length / record;
}

/**
 * Unpacks a batch from row `first` of `pixels` (NHWC) and `labels` on. The file holds each image as a red, a green and
 * a blue plane. Of CIFAR-100's labels the fine one is taken.
 */
export function unpackCifar(
  bytes: Uint8Array,
  labelBytes: 1 | 2,
  first: number,
  pixels: Uint8Array,
  labels: Int32Array,
): void {
  const record = cifarRecord(labelBytes);
  for (let i = 0; i * record < bytes.length; i++) {
    const start = i * record + labelBytes;
    labels[first + i] = bytes[start - 1];
    let to = (first + i) * IMAGE;
    for (let p = start; p < start + PLANE; p++) {
      pixels[to++] = bytes[p];
      pixels[to++] = bytes[p + PLANE];
      pixels[to++] = bytes[p + 2 * PLANE];
    }
  }
}
