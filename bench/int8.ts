/** ResNet18 in floats and in 8-bit integers, taken in turn on our own engine: `node bench/int8.ts [SIZE] [BATCH] [ROUNDS]`.
 *  Weights come from a seed; the arithmetic is that of trained ones. */

import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { inferenceGraph, openGraph } from '../packages/residual/src/export/graph/index.ts';
import { infoFor, picturesFor, pretendTrained } from '../packages/residual/src/export/graph/testing.ts';
import { resnet18 } from '../packages/residual/src/models/resnet.ts';
import { assignQuantization } from '../packages/residual/src/quantize/assign.ts';
import { openIntegers } from '../packages/residual/src/quantize/integer/open.ts';

const [size = 224, batch = 1, rounds = 5] = process.argv.slice(2).map(Number);

await tf.setBackend('jit');
const model = pretendTrained(
  resnet18({ inputShape: [size, size, 3], classes: size > 64 ? 1000 : 10, stem: size > 64 ? 'imagenet' : 'cifar' }),
);
const info = infoFor(model);
const graph = await inferenceGraph(model, info, { softmax: 'drop' });
const images = picturesFor(info, batch).normalised;
const names = [graph.input.name, ...graph.nodes.map(({ output }) => output)];
const quantization = assignQuantization(graph, new Map(names.map((name) => [name, { min: -4, max: 4 }])));
model.dispose();

const heap = () => (tf.memory() as unknown as { wasmBytes: number }).wasmBytes;
const before = heap();
const float = openGraph(graph);
await float.run(images);
const between = heap();
const integers = openIntegers(graph, quantization);
if (!integers) throw new Error('no integers');
await integers.run(images);
console.log(`weights: float32 ${mib(between - before)}, int8 ${mib(heap() - between)}`);

/** The shortest of some runs by the clock, and what a run takes of the processors, in milliseconds. */
const measured = new Map([
  [float, { name: 'float32', clock: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY }],
  [integers, { name: 'int8', clock: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY }],
]);
const repeat = Math.max(1, Math.ceil(8 / batch));
for (let round = 0; round < rounds; round++) {
  for (const [running, times] of measured) {
    const used = process.cpuUsage();
    for (let i = 0; i < repeat; i++) {
      const start = performance.now();
      await running.run(images);
      times.clock = Math.min(times.clock, performance.now() - start);
    }
    const { user, system } = process.cpuUsage(used);
    times.cpu = Math.min(times.cpu, (user + system) / 1000 / repeat);
  }
}
for (const { name, clock, cpu } of measured.values()) {
  const rate = ((batch / clock) * 1000).toFixed(1);
  console.log(`${name}: ${clock.toFixed(2)} ms, ${rate} images/s; ${cpu.toFixed(2)} ms of processor time a batch`);
}
process.exit(0);

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
