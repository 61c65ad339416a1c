/**
 * A TensorFlow.js backend that compiles: `import 'tfjs-backend-jit'; await tf.setBackend('jit')`.
 * Importing registers the backend and its kernels; its threads start when it is first used.
 */
import '@tensorflow/tfjs-backend-cpu';
import { getKernelsForBackend, registerBackend, registerKernel } from '@tensorflow/tfjs-core';
import { JitBackend } from './backend.ts';
import { debug } from './debug.ts';
import { kernelConfigs } from './record/kernels.ts';
import { rules } from './record/rules.ts';
import { startEngine } from './runtime/platform.ts';
import { env } from './wasm/features.ts';

export type { JitBackend } from './backend.ts';
export { OutOfMemoryError } from './memory/out-of-memory.ts';

for (const config of kernelConfigs(getKernelsForBackend('cpu'))) registerKernel(config);

registerBackend(
  'jit',
  async () => {
    const engine = await startEngine((message) => console.warn(message));
    return new JitBackend(engine, rules.Fill, debug.any || env('JIT_COMPILE') === 'always');
  },
  3, // before webgl and wasm (2) and cpu (1) where the user names none
);
