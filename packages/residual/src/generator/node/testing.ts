/** For tests: small folders of real image files, removed when the test ends. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import sharp from 'sharp';

/** A picture of one shade, which is how tests know it again. */
export async function shade(value: number, size: readonly [height: number, width: number] = [6, 8]): Promise<Buffer> {
  const [height, width] = size;
  return sharp({ create: { width, height, channels: 3, background: { r: value, g: value, b: value } } })
    .png()
    .toBuffer();
}

/** @param files by their path in the folder */
export async function folderOf(t: TestContext, files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'residual-generator-'));
  t.after(() => rm(root, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}
