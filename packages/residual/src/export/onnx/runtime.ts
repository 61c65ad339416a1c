/** Runs an ONNX file in ONNX Runtime itself (npm's onnxruntime-web, on WebAssembly): the proof that a file works where
 *  it is going. The package is an optional dependency, loaded when a file is run. */

import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { ModelError } from '../../models/errors.ts';
import { artefactFromTexts } from '../artefact.ts';
import type { RunningFile } from '../runtime.ts';
import { decodeOnnx } from './decode.ts';
import type { OnnxModel } from './model.ts';
import { sizeBeforeCut } from './picture.ts';

type Runtime = typeof import('onnxruntime-web');

async function load(): Promise<Runtime> {
  try {
    return await import('onnxruntime-web');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new ModelError('ONNX files are run in ONNX Runtime, which is not installed: npm install onnxruntime-web', {
      cause,
    });
  }
}

/**
 * Loads a file that `residual export` wrote.
 *
 * @param file its name, for messages
 * @throws ModelError where ONNX Runtime refuses it, or it does not say its labels and preprocessing
 */
export async function openOnnx(bytes: Uint8Array, file: string): Promise<RunningFile> {
  const { output, run, ...rest } = await openSession(decodeOnnx(bytes, file), bytes, file);
  return {
    ...rest,
    async run(images, batch) {
      const floats = (await run(images, batch)).get(output)?.values;
      if (!floats) throw new ModelError(`${file}: gave no ${output}`);
      return floats;
    },
  };
}

/** A file at work with all of its outputs. */
export interface OnnxSession extends Omit<RunningFile, 'run'> {
  /** The name of the first output. */
  readonly output: string;
  /** Runs a batch: each output's numbers as floats, in the order of its sizes. */
  run(
    images: Float32Array,
    batch: number,
  ): Promise<Map<string, { readonly dims: readonly number[]; readonly values: Float32Array }>>;
}

/** @throws as `openOnnx` */
export async function openSession(model: OnnxModel, bytes: Uint8Array, file: string): Promise<OnnxSession> {
  const info = artefactFromTexts(model.metadata, file);
  const [input] = model.inputs;
  const [output] = model.outputs;
  if (!input || !output || model.inputs.length > 1) throw new ModelError(`${file}: must have one input and one output`);
  const runtime = await load();
  let session: InferenceSession;
  try {
    // Warnings of the runtime about its own choices are nothing that a user could act on.
    session = await runtime.InferenceSession.create(bytes, { executionProviders: ['wasm'], logSeverityLevel: 3 });
  } catch (cause) {
    throw new ModelError(`${file}: ONNX Runtime cannot load it: ${(cause as Error).message}`, { cause });
  }
  const [height, width, channels] = info.preprocessing.inputShape;
  // A file that resizes gets what is ready for it on a canvas of which it will cut out just that.
  const canvas = model.metadata.input === 'picture' ? sizeBeforeCut(info.preprocessing) : ([height, width] as const);
  const dims = info.layout === 'NCHW' ? [channels, height, width] : [...canvas, channels];
  const tensorOf = (values: Float32Array, batch: number): Tensor => {
    const shape = [batch, ...dims];
    const placed =
      info.layout === 'NCHW'
        ? channelsFirst(values, batch, height * width, channels)
        : onCanvas(values, [height, width, channels], canvas);
    if (input.type === 'uint8') return new runtime.Tensor('uint8', Uint8Array.from(placed, Math.round), shape);
    if (input.type === 'float16') return new runtime.Tensor('float16', halfBits(placed), shape);
    return new runtime.Tensor('float32', placed, shape);
  };
  return {
    info,
    runtime: `ONNX Runtime ${runtime.env.versions.web ?? ''}`.trim(),
    input: input.type,
    output: output.name,
    async run(images, batch) {
      const fed = tensorOf(images, batch);
      const results = await session.run({ [input.name]: fed });
      const outputs = Object.entries(results).map(([name, { data, dims, type }]) => {
        const values = data as Float32Array | Uint16Array;
        return [name, { dims, values: type === 'float16' ? fromHalfBits(values) : Float32Array.from(values) }] as const;
      });
      for (const tensor of [fed, ...Object.values(results)]) tensor.dispose();
      return new Map(outputs);
    },
    close: () => session.release(),
  };
}

function channelsFirst(values: Float32Array, batch: number, pixels: number, channels: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let n = 0; n < batch; n++) {
    const base = n * pixels * channels;
    for (let p = 0; p < pixels; p++) {
      for (let c = 0; c < channels; c++) out[base + c * pixels + p] = values[base + p * channels + c];
    }
  }
  return out;
}

/** Pictures in the middle of larger ones, where a cut will find them. */
function onCanvas(
  values: Float32Array,
  [height, width, channels]: readonly [number, number, number],
  [tall, wide]: readonly [number, number],
): Float32Array {
  if (tall === height && wide === width) return values;
  const [top, left] = [Math.floor((tall - height) / 2), Math.floor((wide - width) / 2)];
  const out = new Float32Array((values.length / height / width) * tall * wide);
  for (let row = 0; row < values.length / width / channels; row++) {
    const [picture, y] = [Math.floor(row / height), (row % height) + top];
    const line = values.subarray(row * width * channels, (row + 1) * width * channels);
    out.set(line, ((picture * tall + y) * wide + left) * channels);
  }
  return out;
}

/** ONNX Runtime takes halves as their bits. */
function halfBits(values: Float32Array): Uint16Array {
  return new Uint16Array(Float16Array.from(values).buffer);
}

/** It gives them as bits, or as a Float16Array where there is one. */
function fromHalfBits(values: ArrayBufferView): Float32Array {
  if (values instanceof Float16Array) return Float32Array.from(values);
  return Float32Array.from(new Float16Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength / 2));
}
