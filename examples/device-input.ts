/** What a device must be fed, and what it must answer: `node examples/device-input.ts MODEL PICTURE OUT.bin` writes a picture as
 *  the very numbers that an exported file takes, and prints what the file gives for them in its own runtime here.
 *  TFLite's benchmark tool and TensorRT's trtexec read such a file; examples/android and examples/jetson show how. */
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { decodeImage, openOnnx, openTflite, type RunningFile } from 'residual';

/** A picture as a file's input, one batch of one: normalised or not, channels first or last, in the file's own type. */
export async function inputFor(file: RunningFile, picture: string): Promise<Float32Array | Uint8Array> {
  const pixels = await pixelsFor(file, picture);
  const { info, input } = file;
  const [height, width, channels] = info.preprocessing.inputShape;
  const placed = new Float32Array(pixels.length);
  for (let p = 0; p < height * width; p++) {
    for (let c = 0; c < channels; c++) {
      placed[info.layout === 'NCHW' ? c * height * width + p : p * channels + c] = pixels[p * channels + c];
    }
  }
  if (input === 'float32') return placed;
  if (input === 'uint8' && info.range === 'bytes') return Uint8Array.from(placed);
  throw new Error(`the file takes ${input}; export it with --edges float or --input uint8`);
}

/** Height × width × channels, as `RunningFile.run` takes them. */
export async function pixelsFor({ info }: RunningFile, picture: string): Promise<Float32Array> {
  const { inputShape, mean, std, ...fitting } = info.preprocessing;
  const [height, width, channels] = inputShape;
  const bytes = await decodeImage(picture, {
    size: [height, width],
    channels: channels === 1 ? 1 : 3,
    resize: fitting.resize,
    crop: fitting.crop,
    interpolation: fitting.interpolation,
  });
  if (info.range === 'bytes') return Float32Array.from(bytes);
  return Float32Array.from(bytes, (byte, i) => (byte / 255 - mean[i % channels]) / std[i % channels]);
}

export async function openExport(path: string): Promise<RunningFile> {
  const bytes = await readFile(path);
  return path.endsWith('.onnx') ? openOnnx(bytes, basename(path)) : openTflite(bytes, basename(path));
}

if (import.meta.main) {
  const [model, picture, out] = process.argv.slice(2);
  if (model === undefined || picture === undefined || out === undefined) {
    console.error('error: npx node examples/device-input.ts MODEL.tflite|MODEL.onnx PICTURE OUT.bin');
    process.exit(2);
  }
  try {
    const file = await openExport(model);
    const input = await inputFor(file, picture);
    await writeFile(out, input);
    const { layout, classes, gives, preprocessing } = file.info;
    const [height, width, channels] = preprocessing.inputShape;
    const dims = layout === 'NCHW' ? [1, channels, height, width] : [1, height, width, channels];
    console.log(`${out}: ${input.byteLength} bytes, ${file.input} [${dims.join(', ')}]`);
    const outputs = await file.run(await pixelsFor(file, picture), 1);
    const ranked = Array.from(outputs.keys()).sort((a, b) => outputs[b] - outputs[a]);
    console.log(`${gives} in ${file.runtime}, by output:`);
    for (const i of ranked.slice(0, 5))
      console.log(`  ${String(i).padStart(4)}  ${outputs[i].toFixed(5)}  ${classes[i]}`);
    await file.close();
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
}
