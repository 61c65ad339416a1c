/** Two ways to run one `.tflite` file in a page: Google's LiteRT, and our own engine. What they take and give is the same. */
import 'tfjs-backend-jit';
import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core';
import * as tf from '@tensorflow/tfjs-core';
import { openGraph, openQuantized, readTflite } from 'residual';

export type EngineName = 'litert' | 'own';

/** Runs one picture: its outputs, a number for each class. */
export type Run = (pixels: Uint8Array | Float32Array) => Promise<Float32Array>;

export const engines: Readonly<Record<EngineName, (file: Uint8Array<ArrayBuffer>) => Promise<Run>>> = {
  /** Its WebAssembly lies in `litert/`, a copy of the folder `wasm` of @litertjs/core. */
  async litert(file) {
    await loadLiteRt(new URL('./litert/', document.baseURI).href);
    const model = await loadAndCompile(file, { accelerator: 'wasm' });
    const [{ shape, dtype }] = model.getInputDetails();
    return async (pixels) => {
      const values = dtype === 'uint8' ? Uint8Array.from(pixels) : Float32Array.from(pixels);
      const input = new Tensor(values, Array.from(shape));
      const [output] = await model.run([input]);
      const numbers = Float32Array.from(output.toTypedArray());
      input.delete();
      output.delete();
      return numbers;
    };
  },

  async own(file) {
    await tf.setBackend('jit');
    const { graph, quantization } = readTflite(file, 'model.tflite');
    // Of an 8-bit file every value is rounded as a phone would.
    const running = quantization === undefined ? openGraph(graph) : openQuantized(graph, quantization);
    return async (pixels) => {
      const outputs = await running.run(pixels);
      return outputs.get(graph.output) ?? new Float32Array();
    };
  },
};
