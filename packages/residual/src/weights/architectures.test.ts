/** The described networks are those that are built, and networks with other names are recognised. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { Convention } from '../models/blocks.ts';
import { resnet, type Stem } from '../models/resnet.ts';
import { needsOfVariant, variantNames, withParts } from './architectures.ts';
import { needsOf } from './layers.ts';
import { guideModel } from './testing/guide-model.ts';

await tf.setBackend('cpu');

const cases: readonly (readonly [Convention, Stem, boolean])[] = [
  ['torchvision', 'imagenet', false],
  ['keras', 'cifar', false],
  ['torchvision', 'imagenet', true],
  ['keras', 'cifar', true],
];

for (const variant of variantNames.filter((name) => name !== 'resnet101' && name !== 'resnet152')) {
  for (const [convention, stem, preactivation] of cases) {
    test(`${variant} with ${convention}'s details and the ${stem} stem${preactivation ? ', pre-activated,' : ''} is described as it is built`, () => {
      const model = resnet(variant, { inputShape: [64, 64, 3], classes: 5, width: 2, stem, convention, preactivation });
      const described = needsOfVariant(variant, { width: 2, channels: 3, classes: 5, stem, convention, preactivation });
      const built = needsOf(model);
      const plain = ({ layers }: typeof built) => layers.map((layer) => ({ ...layer, shapes: [...layer.shapes] }));
      const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
      assert.deepEqual(plain(described).sort(byName), plain(built).sort(byName));
      // By kind the order is the same as well: that is what files without names are read by.
      for (const kind of ['conv', 'norm', 'dense']) {
        const names = (needs: typeof built) =>
          needs.layers.filter((layer) => layer.kind === kind).map(({ name }) => name);
        assert.deepEqual(names(described), names(built));
      }
      assert.equal(built.head?.name, 'fc');
      assert.equal(built.padding, described.padding);
      model.dispose();
    });
  }
}

test("the guide's own network, whose layers have no names, is a ResNet18", () => {
  const needs = withParts(needsOf(guideModel([64, 64, 3], 5, 2)));
  const parts = needs.layers.map(({ part }) => part);
  assert.equal(new Set(parts).size, 41);
  assert.ok(parts.includes('layer4.1.bn2') && parts.includes('layer2.0.downsample.1') && parts.includes('fc'));
});
