import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBmp } from './bmp.ts';

interface Parts {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly compression?: number;
  /** BGR0 entries, or masks. */
  readonly table?: readonly number[];
  readonly pixels: readonly number[];
  readonly headerSize?: number;
}

function bmp({ width, height, bits, compression = 0, table = [], pixels, headerSize = 40 }: Parts): Uint8Array {
  const offset = 14 + headerSize + table.length;
  const bytes = new Uint8Array(offset + pixels.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, offset, true);
  view.setUint32(14, headerSize, true);
  if (headerSize === 12) {
    view.setUint16(18, width, true);
    view.setUint16(20, height, true);
    view.setUint16(22, 1, true);
    view.setUint16(24, bits, true);
  } else {
    view.setInt32(18, width, true);
    view.setInt32(22, height, true);
    view.setUint16(26, 1, true);
    view.setUint16(28, bits, true);
    view.setUint32(30, compression, true);
  }
  bytes.set(table, 14 + headerSize);
  bytes.set(pixels, offset);
  return bytes;
}

const RED = [255, 0, 0];
const GREEN = [0, 255, 0];
const BLUE = [0, 0, 255];
const WHITE = [255, 255, 255];
/** BGR0: red, green, blue, white. */
const PALETTE = [0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0];
/** Top row red, green; bottom row blue, white. */
const SQUARE = [...RED, ...GREEN, ...BLUE, ...WHITE];

const KINDS: Record<string, Parts> = {
  '24 bits, rows padded and from the bottom': {
    width: 2,
    height: 2,
    bits: 24,
    pixels: [255, 0, 0, 255, 255, 255, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0],
  },
  '24 bits from the top': {
    width: 2,
    height: -2,
    bits: 24,
    pixels: [0, 0, 255, 0, 255, 0, 0, 0, 255, 0, 0, 255, 255, 255, 0, 0],
  },
  '32 bits, whose fourth byte means nothing': {
    width: 2,
    height: 2,
    bits: 32,
    pixels: [255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 0, 0, 255, 0, 0],
  },
  '16 bits, 5 each': { width: 2, height: 2, bits: 16, pixels: [0x1f, 0, 0xff, 0x7f, 0, 0x7c, 0xe0, 0x03] },
  '16 bits, 5-6-5 fields': {
    width: 2,
    height: 2,
    bits: 16,
    compression: 3,
    table: [0, 0xf8, 0, 0, 0xe0, 0x07, 0, 0, 0x1f, 0, 0, 0],
    pixels: [0x1f, 0, 0xff, 0xff, 0, 0xf8, 0xe0, 0x07],
  },
  '8 bits with a palette': {
    width: 2,
    height: 2,
    bits: 8,
    table: [...PALETTE, ...Array(1008).fill(0)],
    pixels: [2, 3, 0, 0, 0, 1, 0, 0],
  },
  '4 bits with a palette': {
    width: 2,
    height: 2,
    bits: 4,
    table: [...PALETTE, ...Array(48).fill(0)],
    pixels: [0x23, 0, 0, 0, 0x01, 0, 0, 0],
  },
  'RLE8 with literals, a jump and an early end': {
    width: 2,
    height: 2,
    bits: 8,
    compression: 1,
    table: [...PALETTE, ...Array(1008).fill(0)],
    pixels: [1, 2, 1, 3, 0, 0, 0, 2, 1, 0, 1, 1, 0, 1],
  },
  RLE4: {
    width: 2,
    height: 2,
    bits: 4,
    compression: 2,
    table: [...PALETTE, ...Array(48).fill(0)],
    pixels: [2, 0x23, 0, 0, 2, 0x01, 0, 1],
  },
};

for (const [name, parts] of Object.entries(KINDS)) {
  test(`BMP, ${name}`, () => {
    const { data, width, height, channels } = decodeBmp(bmp(parts));
    assert.deepEqual([width, height, channels], [2, 2, 3]);
    assert.deepEqual([...data], SQUARE);
  });
}

test('BMP, 1 bit, with the old 12-byte header', () => {
  const { data } = decodeBmp(
    bmp({ width: 3, height: 1, bits: 1, headerSize: 12, table: [0, 0, 255, 255, 0, 0], pixels: [0b10100000, 0, 0, 0] }),
  );
  assert.deepEqual([...data], [...BLUE, ...RED, ...BLUE]);
});

test('BMP, 32 bits with an alpha field', () => {
  const table = [0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255];
  const { data, channels } = decodeBmp(
    bmp({ width: 1, height: 1, bits: 32, compression: 6, table, pixels: [1, 2, 3, 128] }),
  );
  assert.equal(channels, 4);
  assert.deepEqual([...data], [3, 2, 1, 128]);
});

test('literal runs of RLE8 end on an even byte', () => {
  const { data } = decodeBmp(
    bmp({
      width: 4,
      height: 1,
      bits: 8,
      compression: 1,
      table: [...PALETTE, ...Array(1008).fill(0)],
      pixels: [0, 3, 0, 1, 2, 0, 1, 3, 0, 1],
    }),
  );
  assert.deepEqual([...data], [...RED, ...GREEN, ...BLUE, ...WHITE]);
});

test('a damaged BMP is refused, whatever it claims', () => {
  const whole = bmp(KINDS['24 bits from the top']);
  // The last two bytes only pad the row.
  for (let length = 0; length < whole.length - 2; length++) {
    assert.throws(() => decodeBmp(whole.subarray(0, length)), { name: 'DataError', message: /^damaged/ });
  }
  assert.throws(
    () => decodeBmp(bmp({ width: 60000, height: 60000, bits: 24, pixels: [] })),
    /^DataError: damaged: a BMP of 60000 x 60000/,
  );
  assert.throws(() => decodeBmp(bmp({ width: 2, height: 2, bits: 24, compression: 4, pixels: [] })), {
    message: /24 bits, compression 4/,
  });
  assert.throws(() => decodeBmp(bmp({ ...KINDS.RLE4, pixels: [2, 0x23, 0, 0] })), { message: /ends too early/ });
});
