/**
 * ONNX Runtime as a peer of the bench, inference only. It is no dependency of this repository: `bench/README.md` says
 * how to install it. Arguments: the work as JSON, and a file from whose folder the package resolves.
 */
import { createRequire } from 'node:module';
import { servePeer } from '../protocol.ts';
import type { Work } from '../work.ts';
import { onnxResnet18 } from './onnx-resnet18.ts';

/** The parts of the package that are used here; it cannot be imported for its types. */
interface Runtime {
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: {
        executionProviders: readonly string[];
        intraOpNumThreads: number;
        interOpNumThreads: number;
        graphOptimizationLevel: 'all';
        executionMode: 'sequential';
        logSeverityLevel: number;
      },
    ): Promise<{ run(feeds: Record<string, unknown>): Promise<unknown> }>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => unknown;
}

const work = JSON.parse(process.argv[2]) as Work;
const require = createRequire(process.argv[3]);
const { InferenceSession, Tensor } = require('onnxruntime-node') as Runtime;
const { version } = require('onnxruntime-node/package.json') as { version: string };

const { model, parameters } = onnxResnet18(work);
const session = await InferenceSession.create(model, {
  executionProviders: ['cpu'],
  intraOpNumThreads: work.threads,
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
  logSeverityLevel: 3,
});
const shape = [work.batch, 3, work.size, work.size];
const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * Math.random() - 1);
const input = new Tensor('float32', data, shape);
await servePeer({ version, parameters }, work.batch, async () => {
  await session.run({ input });
});
