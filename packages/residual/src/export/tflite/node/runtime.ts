/** A TFLite file at work in LiteRT, as every format's files are: floats in, floats out.
 *  Integer ends are converted with the scales that the file itself gives, as a program on a phone does. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clamp, roundAway } from '../../../quantize/parameters.ts';
import type { RunningFile } from '../../runtime.ts';
import { endsOf, readModel, withFloatEnds } from '../edges.ts';
import { artefactInTflite } from '../metadata.ts';
import { liteRtFolder, openLiteRt } from './litert.ts';

/**
 * Loads a file that `residual export` wrote.
 *
 * @param file its name, for messages
 * @throws ModelError where LiteRT is not installed or refuses it, or it does not say its labels and preprocessing;
 *   WeightsError where it is damaged
 */
export async function openTflite(bytes: Uint8Array, file: string): Promise<RunningFile> {
  const info = artefactInTflite(bytes, file);
  const model = readModel(bytes, file);
  const { input, output } = endsOf(model, file);
  const running = await openLiteRt(input.type === 'int8' ? withFloatEnds(model, file) : bytes);
  const asBytes = input.type === 'uint8';
  return {
    info,
    runtime: await runtimeName(),
    input: input.type,
    async run(images) {
      const given = asBytes
        ? Uint8Array.from(images, (value) => clamp(roundAway(value / input.scale) + input.zeroPoint, 0, 255))
        : images;
      const result = await running.run(given);
      return asBytes ? result.map((value) => (value - output.zeroPoint) * output.scale) : result;
    },
    async close() {
      running.dispose();
    },
  };
}

/** With its version. */
export async function runtimeName(): Promise<string> {
  const text = await readFile(join(liteRtFolder(), '..', 'package.json'), 'utf8');
  return `LiteRT ${(JSON.parse(text) as { readonly version: string }).version}`;
}
