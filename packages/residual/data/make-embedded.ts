/** Makes `fashion-mnist/`, the embedded data set: a seeded, class-balanced choice of the full set's images, in their
 *  own order. Run once, with Debian's package dataset-fashion-mnist installed: `node make-embedded.ts [FOLDER]`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { encodeIdx, parseIdx } from '../src/data/idx.ts';
import { Random, streams } from '../src/data/random.ts';
import { samplesByClass } from '../src/data/split.ts';

const PARTS = [
  { file: 'train', perClass: 1200 },
  { file: 't10k', perClass: 200 },
];
const SEED = 2017; // the year of the set

const from = process.argv[2] ?? '/usr/share/datasets/fashion-mnist';
const to = join(import.meta.dirname, 'fashion-mnist');
await mkdir(to, { recursive: true });

const readIdx = async (name: string) => parseIdx(gunzipSync(await readFile(join(from, name))), name);

for (const [part, { file, perClass }] of PARTS.entries()) {
  const imagesName = `${file}-images-idx3-ubyte.gz`;
  const labelsName = `${file}-labels-idx1-ubyte.gz`;
  const images = await readIdx(imagesName);
  const labels = await readIdx(labelsName);
  const [, height, width] = images.dims;
  const length = height * width;

  const chosen: number[] = [];
  for (const [label, members] of samplesByClass(labels.data)) {
    chosen.push(...Random.at(SEED, streams.subset, part, label).shuffle(members).slice(0, perClass));
  }
  chosen.sort((a, b) => a - b);

  const pixels = new Uint8Array(chosen.length * length);
  chosen.forEach((index, i) => {
    pixels.set(images.data.subarray(index * length, (index + 1) * length), i * length);
  });
  const write = async (name: string, dims: readonly number[], data: Uint8Array) => {
    const bytes = gzipSync(encodeIdx(dims, data), { level: 9 });
    await writeFile(join(to, name), bytes);
    console.log(`${name}: ${dims.join(' x ')}, ${bytes.length} bytes`);
  };
  await write(imagesName, [chosen.length, height, width], pixels);
  await write(
    labelsName,
    [chosen.length],
    Uint8Array.from(chosen, (index) => labels.data[index]),
  );
}
