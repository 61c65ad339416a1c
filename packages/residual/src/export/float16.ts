/** Weights as 16-bit floats. What does not fit is refused; a format that saturates does so before. */

import { ModelError } from '../models/errors.ts';

export const LARGEST_FLOAT16 = 65_504;

/**
 * The nearest 16-bit floats.
 *
 * @param name of the weight, for the message
 * @throws ModelError where one is larger than 16 bits can say
 */
export function float16Of(name: string, values: Float32Array): Float16Array<ArrayBuffer> {
  const over = values.find((value) => Math.abs(value) > LARGEST_FLOAT16);
  if (over !== undefined) {
    throw new ModelError(`${name}: float16 holds numbers up to ${LARGEST_FLOAT16}, it has ${over}`);
  }
  return Float16Array.from(values);
}
