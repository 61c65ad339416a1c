/**
 * `npm run bench -- augment`: how many images a second one thread decodes, augments and normalises, for usual recipes.
 * Training must never wait for it. Photographs are made up here: 500 × 375 JPEGs with the detail of real ones.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Transform } from '../packages/residual/src/augment/index.ts';
import { parseTransforms } from '../packages/residual/src/augment/index.ts';
import type { BatchRequest, ImageShape } from '../packages/residual/src/data/dataset.ts';
import { loadSharp } from '../packages/residual/src/data/node/decode.ts';
import { SampleReader, type SampleSource } from '../packages/residual/src/data/node/source.ts';
import { BatchMaker, decodeSizeOf } from '../packages/residual/src/data/produce.ts';
import { Random } from '../packages/residual/src/data/random.ts';
import { median } from './work.ts';

const SMALL = [
  '',
  'randomCrop,randomFlip',
  'randomCrop(fill=reflect),alternatingFlip,cutout(size=8)',
  'randomCrop,randomFlip,cutout(size=8)',
  'randomAffine(rotation=15,shift=0.1,zoom=0.1),randomFlip',
  'randomCrop,randomFlip,randAugment',
  'randomCrop,randomFlip,trivialAugment,randomErasing',
  'randomCrop,randomFlip,augMix',
  'randomCrop,randomFlip,cutMix',
];
const LARGE = [
  '',
  'randomResizedCrop,randomFlip',
  'randomResizedCrop,randomFlip,colorJitter(brightness=0.4,contrast=0.4,saturation=0.4,hue=0.1)',
  'randomResizedCrop,randomFlip,randAugment,randomErasing(probability=0.25)',
  'randomResizedCrop,randomFlip,trivialAugment,randomErasing(probability=0.25)',
  'randomResizedCrop,randomFlip,randAugment(magnitude=7),mixup,cutMix',
  'randomAffine(rotation=20,shift=0.2,shear=0.2,zoom=0.2),randomFlip',
  'randomResizedCrop,randomFlip,colorJitter(brightness=0.4,contrast=0.4,saturation=0.4,hue=0.1),randomGrayscale(probability=0.2),gaussianBlur',
  'randomResizedCrop,randomFlip,augMix',
];

/** Images per second of one thread, the median of `rounds`, for each list of augmentations. */
export async function benchAugment(rounds: number, seconds: number): Promise<void> {
  console.log('32 x 32 x 3, batches of 128, from memory, one thread');
  const pixels = new Uint8Array(new SharedArrayBuffer(2048 * 3072));
  for (let i = 0; i < pixels.length; i++) pixels[i] = i * 31;
  const small: SampleSource = {
    kind: 'memory',
    labels: new Int32Array(2048),
    classes: ['a'],
    shape: [32, 32, 3],
    resize: 'cover',
    pixels,
    stored: [32, 32, 3],
    rows: Int32Array.from({ length: 2048 }, (_, i) => i),
    resized: undefined,
  };
  for (const text of SMALL) await line(small, text, 128, rounds, seconds);

  const folder = await mkdtemp(join(tmpdir(), 'residual-bench-'));
  try {
    const paths = await photographs(folder, 32);
    console.log('\n224 x 224 x 3, batches of 16, from JPEGs of 500 x 375, decoded on one thread');
    const labels = new Int32Array(paths.length);
    const common = { labels, classes: ['a'], shape: [224, 224, 3], resize: 'cover' } as const;
    const files: SampleSource = { kind: 'files', root: folder, paths, ...common };
    for (const text of LARGE) await line(files, text, 16, rounds, seconds);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function line(source: SampleSource, text: string, batch: number, rounds: number, seconds: number): Promise<void> {
  const transforms = parseTransforms(text);
  const reader = new SampleReader(source);
  const rates: number[] = [];
  let epoch = 0;
  await turn(reader, source, transforms, batch, 0.3, epoch++);
  for (let i = 0; i < rounds; i++) rates.push(await turn(reader, source, transforms, batch, seconds, epoch++));
  console.log(
    `${Math.round(median(rates)).toLocaleString('en').padStart(8)} images/s  ${text || '(normalisation only)'}`,
  );
}

async function turn(
  reader: SampleReader,
  { shape, labels }: { readonly shape: ImageShape; readonly labels: Int32Array },
  transforms: readonly Transform[],
  batch: number,
  seconds: number,
  epoch: number,
): Promise<number> {
  const normalize = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  const start = performance.now();
  let images = 0;
  do {
    const indices = Int32Array.from({ length: batch }, (_, i) => (images + i) % labels.length);
    const request: BatchRequest = { indices, seed: 1, epoch, transforms, normalize, corrupt: 'replace' };
    const maker = new BatchMaker(shape, request);
    const decodeSize = decodeSizeOf(transforms, shape);
    await reader.each(indices, { corrupt: 'replace', decodeSize }, maker.add.bind(maker));
    maker.finish();
    images += batch;
  } while (performance.now() - start < seconds * 1000);
  return (1000 * images) / (performance.now() - start);
}

/** JPEGs of 500 × 375 at quality 90, about 90 kB each, as ImageNet's are. */
async function photographs(folder: string, count: number): Promise<string[]> {
  const sharp = await loadSharp();
  const paths: string[] = [];
  for (let n = 0; n < count; n++) {
    const random = Random.at(n);
    // Blurred noise at several scales: a spectrum that falls with frequency, as that of photographs does.
    const [width, height] = n % 3 === 0 ? [375, 500] : [500, 375];
    const pixels = new Float32Array(width * height * 3);
    for (let scale = 64; scale >= 1; scale /= 4) {
      const [w, h] = [Math.ceil(width / scale), Math.ceil(height / scale)];
      const noise = Uint8Array.from({ length: w * h * 3 }, () => random.uint32() & 0xff);
      const layer = await sharp(noise, { raw: { width: w, height: h, channels: 3 } })
        .resize(width, height, { fit: 'fill', kernel: 'cubic' })
        .raw()
        .toBuffer();
      const weight = scale === 64 ? 0.6 : scale === 16 ? 0.25 : scale === 4 ? 0.1 : 0.05;
      for (let i = 0; i < pixels.length; i++) pixels[i] += weight * layer[i];
    }
    const path = `${n}.jpg`;
    const raw = { width, height, channels: 3 } as const;
    await sharp(Uint8Array.from(pixels), { raw }).jpeg({ quality: 90 }).toFile(join(folder, path));
    paths.push(path);
  }
  return paths;
}
