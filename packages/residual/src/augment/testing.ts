/** For tests: a small colour scene, drawn by a formula, and pictures as PNG files that can be looked at.
 *  The scene has what an augmentation may change: straight edges, a round shape, fine texture, strong and weak colours. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { Random } from '../data/random.ts';
import type { Picture } from './transform.ts';

/** A house on a meadow under a low sun: not square, one side odd. */
export function scene(height = 40, width = 53): Picture {
  const data = new Uint8Array(height * width * 3);
  const random = Random.at(4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [v, u] = [y / height, x / width];
      const hill = 0.62 + 0.08 * Math.sin(5 * u + 0.6);
      let color: readonly number[] = [90 + 130 * v, 140 + 90 * v, 235 - 40 * v];
      if (Math.hypot((u - 0.8) * (width / height), v - 0.22) < 0.12) color = [255, 214, 70];
      if (v > hill) color = [70 + 90 * (v - hill), 150 - 120 * (v - hill), 60];
      if (u > 0.12 && u < 0.47 && v > 0.44 && v < 0.82) color = [196, 62, 48];
      if (v > 0.24 && v <= 0.44 && Math.abs(u - 0.295) < (v - 0.22) * 1.05) color = [88, 52, 44];
      if (u > 0.18 && u < 0.27 && v > 0.52 && v < 0.66) color = [245, 240, 190];
      if (u > 0.34 && u < 0.42 && v > 0.56 && v < 0.82) color = [60, 66, 110];
      const grain = (random.uniform() - 0.5) * (v > hill ? 50 : 12);
      for (let c = 0; c < 3; c++) {
        data[(y * width + x) * 3 + c] = Math.max(0, Math.min(255, Math.round((color[c] ?? 0) + grain)));
      }
    }
  }
  return { data, height, width, channels: 3 };
}

/** Pictures side by side, two black pixels between them. */
export function strip(pictures: readonly Picture[]): Picture {
  const height = Math.max(...pictures.map((picture) => picture.height));
  const width = pictures.reduce((sum, picture) => sum + picture.width + 2, -2);
  const channels = 3;
  const data = new Uint8Array(height * width * channels);
  let left = 0;
  for (const picture of pictures) {
    for (let y = 0; y < picture.height; y++) {
      for (let x = 0; x < picture.width; x++) {
        for (let c = 0; c < channels; c++) {
          const from = (y * picture.width + x) * picture.channels + Math.min(c, picture.channels - 1);
          data[(y * width + left + x) * channels + c] = picture.data[from];
        }
      }
    }
    left += picture.width + 2;
  }
  return { data, height, width, channels };
}

/**
 * How far a picture is from the one in `fixtures/NAME.png`, value by value: 0 where they are equal. A fixture that does
 * not exist is written, to be looked at and committed; delete one to renew it.
 */
export async function distanceToFixture(name: string, picture: Picture): Promise<number> {
  const file = new URL(`./fixtures/${name}.png`, import.meta.url);
  const { data, height, width, channels } = picture;
  if (!existsSync(file)) {
    if (process.env.CI !== undefined) return Number.POSITIVE_INFINITY;
    const raw = { height, width, channels: channels === 1 ? 1 : 3 } as const;
    await writeFile(file, await sharp(data, { raw }).png({ compressionLevel: 9 }).toBuffer());
  }
  const stored = await sharp(await readFile(file))
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (stored.info.width !== width || stored.info.height !== height) return Number.POSITIVE_INFINITY;
  return stored.data.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i])), 0);
}
