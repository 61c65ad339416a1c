/** LiteRT, the runtime of `.tflite` files on phones and in pages, run here in Node: the proof that a file works.
 *  `@litertjs/core` expects a web worker; what it asks of one is lent to it while it loads, and taken back. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInThisContext } from 'node:vm';
import { ModelError } from '../../../models/errors.ts';
import { sizeOf } from '../../graph/graph.ts';

type LiteRt = typeof import('@litertjs/core');

/** A `.tflite` file ready to run. */
export interface LiteRtModel {
  /** Sizes of the input and the output; the first is the number of images that one run takes. */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  /** Whether XNNPACK runs all of it; otherwise some operators run on slower kernels. */
  readonly accelerated: boolean;
  /**
   * Runs images, as many at a time as the file takes.
   *
   * @param images images × height × width × channels; for a file with uint8 edges, bytes
   * @returns images × classes. A uint8 output is given as its integers.
   * @throws ModelError where the length is no whole number of batches
   */
  run(images: Float32Array | Uint8Array): Promise<Float32Array>;
  /** Runs images as `run` does, and gives all outputs by their names in the file's signature. */
  runAll(images: Float32Array | Uint8Array): Promise<Map<string, Float32Array>>;
  /** Frees what the runtime holds. */
  dispose(): void;
}

/**
 * Loads a `.tflite` file into LiteRT, on the processor. Files with int8 edges are beyond LiteRT's JavaScript interface.
 *
 * @throws ModelError where the optional package `@litertjs/core` is not installed, or LiteRT refuses the file
 */
export async function openLiteRt(file: Uint8Array): Promise<LiteRtModel> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  const litert = await loading;
  const model = await litert.loadAndCompile(file, { accelerator: 'wasm' }).catch((error: unknown) => {
    throw new ModelError(`LiteRT refuses the file: ${messageOf(error)}`, { cause: error });
  });
  const [input] = model.getInputDetails();
  const outputs = model.getOutputDetails();
  const inputShape = [...input.shape];
  const batch = sizeOf(inputShape);
  const runAll = async (images: Float32Array | Uint8Array): Promise<Map<string, Float32Array>> => {
    if (images.length === 0 || images.length % batch !== 0) {
      throw new ModelError(
        `LiteRT: a run takes ${inputShape.join(' × ')} = ${batch} numbers, received ${images.length}`,
      );
    }
    const runs = images.length / batch;
    const all = new Map(outputs.map(({ name, shape }) => [name, new Float32Array(runs * sizeOf([...shape]))]));
    for (let i = 0; i < runs; i++) {
      const part = images.subarray(i * batch, (i + 1) * batch);
      const typed = input.dtype === 'uint8' ? Uint8Array.from(part) : Float32Array.from(part);
      const given = new litert.Tensor(typed, inputShape);
      const received = await model.run([given]);
      for (const [k, { name, shape }] of outputs.entries()) {
        all.get(name)?.set(received[k].toTypedArray(), i * sizeOf([...shape]));
        received[k].delete();
      }
      given.delete();
    }
    return all;
  };
  const [output] = outputs;
  return {
    inputShape,
    outputShape: [...output.shape],
    accelerated: model.isFullyAccelerated,
    run: async (images) => (await runAll(images)).get(output.name) ?? new Float32Array(),
    runAll,
    dispose: () => model.delete(),
  };
}

let loading: Promise<LiteRt> | undefined;

async function load(): Promise<LiteRt> {
  const folder = liteRtFolder();
  const require = createRequire(import.meta.url);
  const litert = (await import(pathToFileURL(require.resolve('@litertjs/core')).href)) as LiteRt;
  const giveBack = lend({
    self: globalThis,
    importScripts: (file: string) => runInThisContext(readFileSync(file, 'utf8'), { filename: file }),
    // Emscripten's loader tells Node by these.
    require,
    __filename: join(folder, 'litert.js'),
    __dirname: folder,
    Module: {
      locateFile: (file: string) => join(folder, file),
      print: () => {},
      printErr: () => {},
    },
  });
  const warn = console.warn;
  // It looks for a GPU and says that there is none.
  console.warn = () => {};
  try {
    await litert.loadLiteRt(`${folder}/`);
  } finally {
    console.warn = warn;
    giveBack();
  }
  return litert;
}

/**
 * Where the runtime's WebAssembly lies.
 *
 * @throws ModelError where the package is not installed
 */
export function liteRtFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('@litertjs/core')), '..', 'wasm');
  } catch (cause) {
    throw new ModelError('TFLite files are run in LiteRT, which is not installed: npm install @litertjs/core', {
      cause,
    });
  }
}

/** Sets global names, and gives a function that makes them as they were. */
function lend(values: Readonly<Record<string, unknown>>): () => void {
  const before = Object.keys(values).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return () => {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else delete (globalThis as Record<string, unknown>)[name];
    }
  };
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0];
}
