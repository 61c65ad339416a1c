/** The windows of an input gradient against the definition of a convolution. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Axis, type AxisShape, forwardAxis, gradientAxes, packAxis } from './conv2d-direct-axis.ts';

/** Triples "output position, tap of the filter, source position" that an axis reads inside of the source. */
function reads(axis: Axis, sourceSize: number): string[] {
  const found: string[] = [];
  for (let i = 0; i < axis.outputs; i++) {
    for (let t = 0; t < axis.taps; t++) {
      const source = axis.start + i * axis.step + t * axis.tapStep;
      if (source < 0 || source >= sourceSize) continue;
      found.push(`${axis.outStart + i * axis.outStep} ${axis.filterStart + t * axis.filterStep} ${source}`);
    }
  }
  return found;
}

function* shapes(): Generator<AxisShape> {
  for (const inSize of [1, 4, 7, 12]) {
    for (const filter of [1, 2, 3, 5]) {
      for (const stride of [1, 2, 3, 4]) {
        for (const dilation of [1, 2, 3]) {
          for (const pad of [0, 1, 3]) {
            const outSize = Math.floor((inSize + 2 * pad - (filter - 1) * dilation - 1) / stride) + 1;
            if (outSize > 0) yield { inSize, outSize, filter, stride, dilation, pad };
          }
        }
      }
    }
  }
}

test('the gradient reads dy where the forward direction wrote y, and writes each position once', () => {
  for (const shape of shapes()) {
    const forward = reads(forwardAxis(shape), shape.inSize).map((read) => read.split(' '));
    const transposed = forward.map(([output, tap, source]) => [source, tap, output].join(' ')).sort();
    const axes = gradientAxes(shape);
    const backward = axes.flatMap((axis) => reads(axis, shape.outSize)).sort();
    assert.deepEqual(backward, transposed, JSON.stringify(shape));
    const written = axes.flatMap(({ outputs, outStart, outStep }) =>
      Array.from({ length: outputs }, (_, i) => outStart + i * outStep),
    );
    const all = Array.from({ length: shape.inSize }, (_, i) => i);
    assert.deepEqual(
      written.sort((a, b) => a - b),
      all,
      JSON.stringify(shape),
    );
  }
});

test('a packed axis keeps every position that is read, at its place', () => {
  for (const shape of shapes()) {
    for (const axis of [forwardAxis(shape), ...gradientAxes(shape)].filter((a) => a.taps > 0)) {
      const packed = packAxis(axis);
      for (let i = 0; i < axis.outputs; i++) {
        for (let t = 0; t < axis.taps; t++) {
          const place = i * packed.step + t * packed.tapStep;
          assert.ok(place < packed.extent(axis.outputs));
          assert.equal(axis.start + place * packed.read, axis.start + i * axis.step + t * axis.tapStep);
        }
      }
    }
  }
});

test('a 1x1 window of stride 2 packs only what it reads', () => {
  const axis = forwardAxis({ inSize: 8, outSize: 4, filter: 1, stride: 2, dilation: 1, pad: 0 });
  assert.equal(packAxis(axis).extent(4), 4);
});
