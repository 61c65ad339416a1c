import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tfl from '@tensorflow/tfjs-layers';
import { configOf } from './file-config.ts';
import { memoryFile } from './testing/memory-file.ts';

test("TF.js's own topology says ε and padding, as that of its converter does", () => {
  const model = tfl.sequential({
    layers: [
      tfl.layers.conv2d({
        inputShape: [8, 8, 3],
        filters: 2,
        kernelSize: 3,
        strides: 2,
        padding: 'same',
        name: 'conv1',
      }),
      tfl.layers.batchNormalization({ epsilon: 0.02, name: 'bn1' }),
    ],
  });
  const own = model.toJSON(undefined, false);
  for (const topology of [own, { model_config: own, training_config: {} }]) {
    const file = { ...memoryFile('tfjs', []), topology };
    assert.deepEqual(configOf(file), { epsilons: new Map([['bn1', 0.02]]), padding: 'same' });
  }
  assert.equal(
    configOf({ ...memoryFile('tfjs', []), topology: undefined } as ReturnType<typeof memoryFile>),
    undefined,
  );
});
