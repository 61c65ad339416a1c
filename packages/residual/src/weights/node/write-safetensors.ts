/** A .safetensors file on disk, which appears whole or not at all. */

import { writeAside } from '../../models/files.ts';
import { type NamedValues, type SafetensorsOptions, safetensors } from '../safetensors-writer.ts';

/**
 * Writes `tensors` into the file `path`, replacing it. Values are converted as they are written, one tensor at a time.
 *
 * ```ts
 * await writeSafetensors('resnet18.safetensors', tensors, { type: 'float16', metadata: { accuracy: '0.949' } });
 * ```
 *
 * @throws WeightsError as `safetensors` does; WriteError where the disk does not take it. Either way the old file stays
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedValues[],
  options: SafetensorsOptions = {},
): Promise<void> {
  await writeAside(path, safetensors(tensors, options));
}
