/** What `residual weights inspect` prints of a file that fits, and of one that does not. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { identify } from '../weights/identify.ts';
import { readPyTorch } from '../weights/pytorch/index.ts';
import { memoryFile, tensorOf } from '../weights/testing/memory-file.ts';
import { openTorch } from '../weights/testing/torch-fixtures.ts';
import { makeStyle } from './style.ts';
import { inspection, inspectionLines } from './weights-inspect.ts';

const style = makeStyle(false);
const file = await openTorch('resnet18.pth', readPyTorch);

test('a file that fits: its tensors, its network, and how to go on', () => {
  const text = inspectionLines(file, identify(file), { path: 'my weights.pth', all: false, style }).join('\n');
  assert.match(text, /^conv1\.weight +float32 +4 × 3 × 7 × 7$/m);
  assert.match(text, /^… 110 more; --all lists them$/m);
  assert.match(text, /122 tensors \(102 float32, 20 int64\)/);
  assert.match(text, /^names +torchvision and timm \(PyTorch\)$/m);
  assert.match(text, /^fits +resnet18: 5 classes, 3 channels, imagenet stem, width 4, torchvision's details$/m);
  assert.match(text, /finetune DATA --weights 'my weights\.pth'$/);
  const whole = inspectionLines(file, identify(file), { path: 'x', all: true, style }).join('\n');
  for (const { name } of file.tensors) assert.ok(whole.includes(`\n${name} `));
});

test('a file that fits nothing: the nearest network and the first mismatches', () => {
  const broken = { ...file, tensors: file.tensors.filter(({ name }) => !name.startsWith('layer4.1')) };
  const text = inspectionLines(broken, identify(broken), { path: 'x', all: false, style }).join('\n');
  assert.match(text, /^fits +none of our networks$/m);
  assert.match(text, /^nearest +resnet18 in the names of torchvision and timm \(PyTorch\): \d+ of 102 weights$/m);
  assert.match(text, /layer4\.1\.conv1\.weight \[32, 32, 3, 3\] is not in the file$/m);
  const other = memoryFile('pytorch', [tensorOf('vit.blocks.0.attn.qkv.weight', [2, 2], new Float32Array(4))]);
  assert.match(
    inspectionLines(other, identify(other), { path: 'x', all: false, style }).join('\n'),
    /is +a vision transformer/,
  );
});

test('--json has all of it', () => {
  const { fits, tensors, parameters } = JSON.parse(JSON.stringify(inspection(file, identify(file)))) as {
    fits: { architecture: string; map: string };
    tensors: { name: string }[];
    parameters: number;
  };
  assert.deepEqual([fits.architecture, fits.map, tensors.length, parameters], ['resnet18', 'torchvision', 122, 45_557]);
});
