/** Writes safetensors files with the library, and beside them the bits that they hold, for check-safetensors.py.
 *  Usage: node interop/weights/write-safetensors.ts FOLDER */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../../packages/residual/src/weights/node/write-safetensors.ts';

const folder = process.argv[2];
await mkdir(folder, { recursive: true });

/** Any bits but those of NaN, whose payload float16 cannot keep; exponents that float16 can. */
let state = 1;
function value(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return ((state / 2 ** 32) * 2 - 1) * 2 ** ((state % 40) - 25);
}
const shapes = { 'conv1.weight': [64, 3, 7, 7], 'bn1.weight': [64], scalar: [], empty: [0, 4], 'fc.weight': [10, 512] };
const tensors = Object.entries(shapes).map(([name, shape]) => {
  const count = shape.reduce((product, length) => product * length, 1);
  return { name, shape, values: Float32Array.from({ length: count }, value) };
});
tensors.push({ name: 'special', shape: [6], values: Float32Array.of(0, -0, Infinity, -Infinity, 65504, 2 ** -149) });

await writeSafetensors(join(folder, 'float32.safetensors'), tensors, { metadata: { licence: 'CC0-1.0' } });
await writeSafetensors(join(folder, 'float16.safetensors'), tensors, { type: 'float16' });
const bits = tensors.map(({ name, shape, values }) => [name, { shape, bits: [...new Uint32Array(values.buffer)] }]);
await writeFile(join(folder, 'bits.json'), JSON.stringify(Object.fromEntries(bits)));
