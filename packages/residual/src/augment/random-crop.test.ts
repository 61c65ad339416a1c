import assert from 'node:assert/strict';
import { test } from 'node:test';
import { augment } from './augment.ts';
import { randomCrop } from './random-crop.ts';
import type { Picture } from './transform.ts';

function crop(picture: Picture, options: Parameters<typeof randomCrop>[0], index: number): Picture {
  return augment(picture, [randomCrop(options)], { seed: 3, index });
}

/** The definition: pad the whole picture, then cut a window out. */
function reference(
  data: ArrayLike<number>,
  h: number,
  w: number,
  c: number,
  pad: number,
  top: number,
  left: number,
  fill: string,
) {
  const at = (position: number, size: number) => {
    if (position >= 0 && position < size) return position;
    if (fill === 'zero') return -1;
    return position < 0 ? -position : 2 * size - 2 - position;
  };
  const out: number[] = [];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const sy = at(y + top - pad, h);
      const sx = at(x + left - pad, w);
      for (let k = 0; k < c; k++) out.push(sy < 0 || sx < 0 ? 0 : data[(sy * w + sx) * c + k]);
    }
  }
  return out;
}

for (const fill of ['zero', 'reflect'] as const) {
  for (const [height, width, channels, padding] of [
    [5, 7, 3, 4],
    [6, 4, 1, 2],
    [4, 9, 2, 3],
  ]) {
    test(`a crop of ${height}x${width}x${channels} with ${fill} padding ${padding} is a window of the padded picture`, () => {
      const length = height * width * channels;
      const picture = { data: Uint8Array.from({ length }, (_, i) => i + 1), height, width, channels };
      const windows = new Map<string, string>();
      for (let top = 0; top <= 2 * padding; top++) {
        for (let left = 0; left <= 2 * padding; left++) {
          const cut = reference(picture.data, height, width, channels, padding, top, left, fill);
          windows.set(cut.join(), `${top},${left}`);
        }
      }
      const seen = new Set<string>();
      for (let i = 0; i < 1500; i++) {
        const window = windows.get([...crop(picture, { padding, fill }, i).data].join());
        assert.ok(window !== undefined, 'a result that is no window of the padded picture');
        seen.add(window);
      }
      assert.equal(seen.size, windows.size, 'every window comes up');
    });
  }
}

test('a shift wider than the picture leaves black', () => {
  const picture = { data: Uint8Array.from([9]), height: 1, width: 1, channels: 1 };
  const values = new Set(Array.from({ length: 100 }, (_, i) => crop(picture, { padding: 3 }, i).data[0]));
  assert.deepEqual(values, new Set([0, 9]));
});

test('floats keep their values, and padding 0 changes nothing', () => {
  const picture = { data: Float32Array.from([0.5, -2, 256]), height: 1, width: 3, channels: 1 };
  const shifted = crop(picture, { padding: 1 }, 2);
  assert.ok(shifted.data instanceof Float32Array);
  assert.equal(crop(picture, { padding: 0 }, 0), picture);
});

test('impossible values are refused', () => {
  assert.throws(() => randomCrop({ padding: -1 }), { name: 'DataError', message: /padding .* received -1/ });
  assert.throws(() => randomCrop({ padding: 1.5 }), { name: 'DataError' });
  assert.throws(() => randomCrop({ fill: 'mean' as 'zero' }), {
    name: 'DataError',
    message: /one of 'zero', 'reflect', received 'mean'/,
  });
  const picture = { data: new Uint8Array(4), height: 2, width: 2, channels: 1 };
  assert.throws(
    () => Array.from({ length: 9 }, (_, i) => crop(picture, { padding: 2, fill: 'reflect' }, i)),
    /reflect padding of 2 .* 2 x 2/,
  );
});
