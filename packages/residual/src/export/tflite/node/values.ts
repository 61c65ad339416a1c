/** Every value of a TFLite file as LiteRT computes it. */

import { clamp, roundAway } from '../../../quantize/parameters.ts';
import type { RunningValues } from '../../runtime.ts';
import { endsOf, readModel, withFloatEnds } from '../edges.ts';
import { withEveryValue } from '../every-value.ts';
import { artefactInTflite } from '../metadata.ts';
import { openLiteRt } from './litert.ts';
import { runtimeName } from './runtime.ts';

/**
 * Loads a file that `residual export` wrote, with outputs added.
 *
 * @param names of values, as the inference graph calls them
 * @throws as `openTflite`; WeightsError where the file has none of the values
 */
export async function openTfliteValues(
  bytes: Uint8Array,
  names: readonly string[],
  file: string,
): Promise<RunningValues> {
  const info = artefactInTflite(bytes, file);
  const model = readModel(bytes, file);
  const { input } = endsOf(model, file);
  const floats = input.type === 'int8' ? readModel(withFloatEnds(model, file), file) : model;
  const every = withEveryValue(floats, names, file);
  const running = await openLiteRt(every.bytes);
  return {
    info,
    runtime: await runtimeName(),
    values: [...every.values.values()],
    async run(images) {
      const given =
        input.type === 'uint8'
          ? Uint8Array.from(images, (value) => clamp(roundAway(value / input.scale) + input.zeroPoint, 0, 255))
          : images;
      const outputs = await running.runAll(given);
      return new Map([...every.values].map(([output, value]) => [value, outputs.get(output) ?? new Float32Array()]));
    },
    async close() {
      running.dispose();
    },
  };
}
