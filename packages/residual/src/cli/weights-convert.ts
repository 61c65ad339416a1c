/** The work of `residual weights convert`: a trained network's weights in a file for other tools. */

import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { bytes } from '../evaluate/report-format.ts';
import { writeKerasH5 } from '../weights/keras/write-keras.ts';
import { writeSafetensors } from '../weights/node/write-safetensors.ts';
import { torchState } from '../weights/torch-state.ts';
import { startBackend } from './backend.ts';
import { UsageError } from './command.ts';
import { type LoadedRun, loadRun } from './load-run.ts';
import type { WeightsValues } from './weights-run.ts';

/** By the ending of the file's name. */
const writers: Readonly<Record<string, (run: LoadedRun, file: string, half: boolean) => Promise<void>>> = {
  '.safetensors': async ({ model, info }, file, half) => {
    const { architecture, classes, preprocessing } = info;
    const { tensors, metadata } = await torchState(model);
    const about = {
      architecture,
      classes: JSON.stringify(classes),
      preprocessing: JSON.stringify(preprocessing),
    };
    await writeSafetensors(file, tensors, {
      metadata: { ...metadata, ...about },
      type: half ? 'float16' : 'float32',
    });
  },
  '.h5': async ({ model }, file, half) => {
    if (half) throw new UsageError('--half is for .safetensors files; Keras keeps .h5 weights in 32 bits');
    await writeKerasH5(model, file);
  },
};

export async function convert(
  [typed, file, ...others]: readonly string[],
  { half = false, json }: WeightsValues,
): Promise<number> {
  if (typed === undefined || file === undefined || others.length > 0) {
    throw new UsageError('residual weights convert takes a RUN and a FILE to write');
  }
  const ending = extname(file).toLowerCase();
  const write = Object.hasOwn(writers, ending) ? writers[ending] : undefined;
  if (write === undefined) {
    throw new UsageError(
      `residual weights convert writes ${Object.keys(writers).join(' and ')} files, received '${file}'`,
    );
  }
  await startBackend({});
  const run = await loadRun(typed);
  await write(run, file, half);
  const { size } = await stat(file);
  const parameters = run.model.countParams();
  if (json === true) process.stdout.write(`${JSON.stringify({ file, size, parameters })}\n`);
  else process.stdout.write(`${file}  ${bytes(size)}\n`);
  return 0;
}
