// The numbers that are written for a device are the ones that the file wants: fed to its runtime as they are, they give
// what the model gives.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { decodeImage, inferenceGraph, openLiteRt, predict, resnet18, writeOnnx, writeTflite } from 'residual';
import sharp from 'sharp';

const run = promisify(execFile);
const script = join(import.meta.dirname, 'device-input.ts');

test('a picture for an ONNX file and for a TFLite file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'device-'));
  t.after(() => rm(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  await tf.setBackend('jit');
  const inputShape = [16, 16, 3] as const;
  const model = resnet18({ inputShape: [...inputShape], classes: 3, width: 4, seed: 2 });
  const preprocessing = {
    inputShape,
    resize: 'cover',
    crop: 0.8,
    mean: [0.5, 0.4, 0.3],
    std: [0.2, 0.25, 0.3],
  } as const;
  const classes = ['circle', 'square', 'triangle'];
  const graph = await inferenceGraph(model, { architecture: 'resnet18', classes, preprocessing });
  await writeFile(at('model.onnx'), writeOnnx(graph));
  await writeFile(at('model.tflite'), writeTflite(graph));
  const noise = { type: 'gaussian', mean: 120, sigma: 60 } as const;
  await sharp({ create: { width: 50, height: 30, channels: 3, background: '#000', noise } })
    .png()
    .toFile(at('a.png'));

  const bytes = await decodeImage(at('a.png'), { size: 16, resize: 'cover', crop: 0.8 });
  const { mean, std } = preprocessing;
  const pixels = Float32Array.from(bytes, (byte, i) => (byte / 255 - mean[i % 3]) / std[i % 3]);
  const [expected] = await predict(model, pixels);

  const onnxruntime = await import('onnxruntime-web');
  const session = await onnxruntime.InferenceSession.create(await readFile(at('model.onnx')), { logSeverityLevel: 3 });
  const litert = await openLiteRt(await readFile(at('model.tflite')));
  const feed = {
    onnx: async (numbers: Float32Array) => {
      const input = new onnxruntime.Tensor('float32', numbers, [1, 3, 16, 16]);
      return (await session.run({ input })).output?.data as Float32Array;
    },
    tflite: (numbers: Float32Array) => litert.run(numbers),
  };
  for (const kind of ['onnx', 'tflite'] as const) {
    const { stdout } = await run(process.execPath, [script, at(`model.${kind}`), at('a.png'), at('a.bin')]);
    assert.match(
      stdout,
      kind === 'onnx' ? /3072 bytes, float32 \[1, 3, 16, 16\]/ : /3072 bytes, float32 \[1, 16, 16, 3\]/,
    );
    const answers = await feed[kind](new Float32Array(Uint8Array.from(await readFile(at('a.bin'))).buffer));
    expected.forEach((value, i) => {
      assert.ok(Math.abs(answers[i] - value) < 1e-4, `${kind}: ${answers[i]}, the model ${value}`);
      const printed = new RegExp(`^ +${i} +([\\d.]+) +${classes[i]}$`, 'm').exec(stdout)?.[1];
      assert.ok(Math.abs(Number(printed) - value) < 1e-4, stdout);
    });
  }
  await session.release();
  litert.dispose();
  await assert.rejects(run(process.execPath, [script, at('a.png'), at('a.png'), at('b.bin')]), { code: 1 });
});
