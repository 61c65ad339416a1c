/** A program for `integer.test.ts`, to be run with some number of threads: prints a hash of every integer of a ResNet18. */

import { createHash } from 'node:crypto';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { inferenceGraph } from '../../../export/graph/index.ts';
import { infoFor, picturesFor, pretendTrained } from '../../../export/graph/testing.ts';
import { resnet18 } from '../../../models/resnet.ts';
import { assignQuantization } from '../../assign.ts';
import { openIntegers } from '../open.ts';

await tf.setBackend('jit');
const model = pretendTrained(resnet18({ inputShape: [24, 28, 3], classes: 10, stem: 'imagenet', width: 8 }));
const info = infoFor(model);
const graph = await inferenceGraph(model, info);
const names = [graph.input.name, ...graph.nodes.map(({ output }) => output)];
// Ranges without a calibration, whose floats are those of the machine.
const quantization = assignQuantization(graph, new Map(names.map((name, i) => [name, { min: -3, max: 3 + (i % 4) }])));
const running = openIntegers(graph, quantization);
const values = await running?.run(picturesFor(info, 3).normalised, names);
const hash = createHash('sha256');
for (const name of names) hash.update(values?.get(name) ?? '');
console.log(hash.digest('hex'));
process.exit(0);
