import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encode as encodeBmp } from 'fast-bmp';
import sharp from 'sharp';
import type { DecodeOptions } from './decode.ts';
import { decodeImage } from './decode.ts';

type Colour = readonly [number, number, number];
const RED: Colour = [255, 0, 0];
const GREEN: Colour = [0, 255, 0];
const BLUE: Colour = [0, 0, 255];
const WHITE: Colour = [255, 255, 255];

/** A picture of 64×32 (width × height) in quarters: red, green above blue, white. */
const WIDTH = 64;
const HEIGHT = 32;
const quarters = Uint8Array.from(
  Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
    const [right, below] = [i % WIDTH >= WIDTH / 2, i >= (WIDTH * HEIGHT) / 2];
    return below ? (right ? WHITE : BLUE) : right ? GREEN : RED;
  }).flat(),
);
const picture = () => sharp(quarters, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });

/** The colours in the middles of the four quarters, clockwise from the top left, after `stretch` to 16×16. */
async function corners(input: string | Uint8Array, options: DecodeOptions = {}): Promise<number[][]> {
  const { channels = 3 } = options;
  const data = await decodeImage(input, { size: 16, resize: 'stretch', ...options });
  assert.equal(data.constructor, Uint8Array);
  assert.equal(data.length, 16 * 16 * channels);
  return [
    [4, 4],
    [4, 12],
    [12, 12],
    [12, 4],
  ].map(([y, x]) => [...data.subarray((y * 16 + x) * channels, (y * 16 + x + 1) * channels)]);
}

function near(found: number[][], expected: readonly (readonly number[])[], tolerance: number): void {
  const worst = Math.max(...found.flatMap((colour, i) => colour.map((value, c) => Math.abs(value - expected[i][c]))));
  assert.ok(worst <= tolerance, `${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
}

for (const [format, tolerance] of [
  ['jpeg', 8],
  ['png', 0],
  ['webp', 8],
  ['avif', 12],
  ['gif', 0],
  ['tiff', 8],
] as const) {
  test(`${format} is decoded, by its content, whatever the file is called`, async () => {
    near(
      await corners(await picture().toFormat(format, { quality: 95 }).toBuffer()),
      [RED, GREEN, WHITE, BLUE],
      tolerance,
    );
  });
}

test('bmp is decoded, as another library wrote it', async () => {
  const bmp = encodeBmp({ width: WIDTH, height: HEIGHT, data: quarters, bitsPerPixel: 24, components: 3, channels: 3 });
  near(await corners(bmp), [RED, GREEN, WHITE, BLUE], 0);
});

test('the EXIF orientation is applied', async () => {
  const upright: Record<number, readonly Colour[]> = {
    1: [RED, GREEN, WHITE, BLUE],
    2: [GREEN, RED, BLUE, WHITE],
    3: [WHITE, BLUE, RED, GREEN],
    4: [BLUE, WHITE, GREEN, RED],
    5: [RED, BLUE, WHITE, GREEN],
    6: [BLUE, RED, GREEN, WHITE],
    7: [WHITE, GREEN, RED, BLUE],
    8: [GREEN, WHITE, BLUE, RED],
  };
  for (const [orientation, expected] of Object.entries(upright)) {
    near(
      await corners(
        await picture()
          .withMetadata({ orientation: Number(orientation) })
          .jpeg({ quality: 95 })
          .toBuffer(),
      ),
      expected,
      8,
    );
  }
});

test('grey, 16-bit, CMYK and palette pictures become 8-bit sRGB', async () => {
  const greys = [127, 220, 255, 76].map((v) => [v, v, v]);
  near(await corners(await picture().greyscale().png().toBuffer()), greys, 3);
  near(await corners(await picture().toColourspace('grey16').png().toBuffer()), greys, 3);
  near(await corners(await picture().toColourspace('rgb16').png().toBuffer()), [RED, GREEN, WHITE, BLUE], 0);
  near(await corners(await picture().png({ palette: true }).toBuffer()), [RED, GREEN, WHITE, BLUE], 0);
  // The press has no pure colours: red stays the reddest, and white is not inverted, as careless readers make it.
  const cmyk = await picture().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer();
  assert.equal((await sharp(cmyk).metadata()).space, 'cmyk');
  const [red, , white, blue] = await corners(cmyk);
  assert.ok(red[0] > 200 && red[1] < 50 && red[2] < 50 && blue[2] > blue[0] && blue[2] > blue[1], `${red}, ${blue}`);
  near([white], [WHITE], 3);
});

test('channels: 1 gives the luminance of any picture', async () => {
  for (const image of [picture().png(), picture().greyscale().png(), picture().toColourspace('grey16').png()]) {
    near(await corners(await image.toBuffer(), { channels: 1 }), [[127], [220], [255], [76]], 3);
  }
});

test('transparency is laid on white', async () => {
  const half = sharp({
    create: { width: 20, height: 20, channels: 4, background: { r: 200, g: 0, b: 0, alpha: 0.5 } },
  });
  near(await corners(await half.png().toBuffer()), Array(4).fill([227, 127, 127]), 1);
  const clear = sharp({ create: { width: 20, height: 20, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } });
  near(await corners(await clear.webp().toBuffer(), { channels: 1 }), Array(4).fill([255]), 0);
});

test('cover crops the centre, contain pads with black, stretch fills', async () => {
  const png = await picture().png().toBuffer();
  // 64×32 into 32×32: cover keeps columns 16 to 47.
  const cover = await decodeImage(png, { size: 32, resize: 'cover' });
  assert.deepEqual([...cover.subarray(0, 3)], RED);
  assert.deepEqual([...cover.subarray(15 * 3, 15 * 3 + 3)], RED);
  assert.deepEqual([...cover.subarray(16 * 3, 16 * 3 + 3)], GREEN);
  const contain = await decodeImage(png, { size: 64, resize: 'contain' });
  const pixel = (y: number, x: number) => [...contain.subarray((y * 64 + x) * 3, (y * 64 + x) * 3 + 3)];
  assert.deepEqual(
    [pixel(15, 0), pixel(16, 0), pixel(47, 63), pixel(48, 63)],
    [[0, 0, 0], [...RED], [...WHITE], [0, 0, 0]],
  );
  const wide = await decodeImage(png, { size: [8, 24], resize: 'stretch' });
  assert.equal(wide.length, 8 * 24 * 3);
  assert.deepEqual([...wide.subarray(0, 3)], RED);
});

test('a picture of the wanted size passes unchanged', async () => {
  const png = await picture().png().toBuffer();
  assert.deepEqual(await decodeImage(png, { size: [HEIGHT, WIDTH] }), quarters);
});

test('what is no readable image is refused in one line that says why', async () => {
  const noise = Uint8Array.from({ length: 100 * 100 * 3 }, (_, i) => (i * 7919) % 256);
  const image = () => sharp(noise, { raw: { width: 100, height: 100, channels: 3 } });
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const) {
    const whole = await image().toFormat(format).toBuffer();
    for (const part of [0.05, 0.5, 0.9]) {
      await assert.rejects(decodeImage(whole.subarray(0, whole.length * part)), (error: Error) => {
        assert.equal(error.name, 'DataError', `${format} ${part}: ${error.stack}`);
        assert.match(error.message, /^image: damaged: [^\n]+$/);
        return true;
      });
    }
  }
  const text = new TextEncoder().encode('these are not pixels');
  await assert.rejects(decodeImage(text), {
    name: 'DataError',
    message: /^image: not a JPEG, .* it begins with "these ar"$/,
  });
  await assert.rejects(decodeImage(new Uint8Array()), { name: 'DataError', message: 'image: empty file' });
  const heic = new TextEncoder().encode('\0\0\0\x18ftypheic\0\0\0\0mif1heic');
  await assert.rejects(decodeImage(heic), { message: /it is HEIC or a video$/ });
  await assert.rejects(decodeImage(new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>')), {
    name: 'DataError',
  });
});

test('a path is read, and its errors name it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'residual-decode-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'holiday.png');
  await writeFile(path, await picture().png().toBuffer());
  near(await corners(path), [RED, GREEN, WHITE, BLUE], 0);
  await assert.rejects(decodeImage(join(folder, 'none.jpg')), {
    name: 'DataError',
    message: /none\.jpg: no such file$/,
  });
  await assert.rejects(decodeImage(folder), { name: 'DataError', message: /: this is a folder, not an image$/ });
});

test('impossible sizes and channels are refused', async () => {
  for (const size of [0, 1.5, -3, Number.NaN, [10, 0]] as const) {
    await assert.rejects(decodeImage(quarters, { size: size as number }), {
      name: 'DataError',
      message: /^size must be/,
    });
  }
  await assert.rejects(decodeImage(quarters, { channels: 2 as 1 }), {
    name: 'DataError',
    message: 'channels must be 1 or 3, received 2',
  });
});
