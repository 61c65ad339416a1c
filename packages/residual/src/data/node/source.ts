/** Where samples come from, as plain data that a worker can be started with, and the reader that decodes them there.
 *  Holds the one rule for corrupt files, so that every thread replaces them alike. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Picture } from '../../augment/transform.ts';
import type { ImageShape, ResizeDetails, ResizeMode, SkippedFile } from '../dataset.ts';
import { DataError } from '../errors.ts';
import type { DecodedSamples } from '../produce.ts';
import { samplesByClass } from '../split.ts';
import { decodeBytes, decodeLarge, decodePixels, fileProblem } from './decode.ts';

interface Target extends ResizeDetails {
  readonly labels: Int32Array;
  readonly classes: readonly string[];
  /** The size that samples are brought to. */
  readonly shape: ImageShape;
  readonly resize: ResizeMode;
}

/** Decoded images in memory that all threads share. */
export interface MemorySource extends Target {
  readonly kind: 'memory';
  /** The stored part that the images lie in, whichever part they were cut into. */
  readonly origin: 'train' | 'test';
  /** All images at their own size, NHWC, on a SharedArrayBuffer. */
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  readonly stored: ImageShape;
  /** Which of the images each sample is. */
  readonly rows: Int32Array;
  /** Where samples must be resized: the results, kept for the next epoch and the other threads. */
  readonly resized: ResizedImages | undefined;
}

/** A slot per sample, and which are filled; on SharedArrayBuffers, whose untouched pages cost nothing. */
export interface ResizedImages {
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  readonly filled: Uint8Array<SharedArrayBuffer>;
}

/** One file per sample. */
export interface FileSource extends Target {
  readonly kind: 'files';
  readonly root: string;
  /** Relative to `root`. */
  readonly paths: readonly string[];
}

export type SampleSource = MemorySource | FileSource;

/** Images that are decoded at once. libuv has four threads for that; more than the machine's cores only adds memory. */
const AT_ONCE = Math.min(4, Math.max(2, availableParallelism()));

export interface ReadOptions {
  readonly corrupt: 'replace' | 'drop';
  readonly decodeSize?: number | undefined;
  /** Asked between images. */
  readonly cancelled?: () => boolean;
}

/** Takes a picture of the sample `index`, for the place `place` of those that were asked for. */
export type UseSample = (place: number, index: number, picture: Picture) => void;

export class SampleReader {
  private readonly source: SampleSource;
  private readonly bytes: number;
  /** Samples that turned out unreadable, so that no file is tried twice. */
  private readonly bad = new Set<number>();
  private readonly skipped: SkippedFile[] = [];
  private members: Map<number, number[]> | undefined;

  constructor(source: SampleSource) {
    this.source = source;
    this.bytes = source.shape.reduce((a, b) => a * b, 1);
  }

  /**
   * Decodes samples into one array of the source's shape. See `each`.
   *
   * @param cancelled asked between images; what has been read until then is returned
   */
  async read(requested: Int32Array, corrupt: 'replace' | 'drop', cancelled = () => false): Promise<DecodedSamples> {
    const { bytes } = this;
    const images = new Uint8Array(requested.length * bytes);
    const indices = new Int32Array(requested.length).fill(-1);
    await this.each(requested, { corrupt, cancelled }, (place, index, { data }) => {
      images.set(data, place * bytes);
      indices[place] = index;
    });
    return indices.includes(-1) ? withoutGaps({ images, indices, requested }, bytes) : { images, indices, requested };
  }

  /**
   * Decodes samples and hands each on as soon as it is there, in any order. A corrupt file gives its place to the next
   * readable one of its class (in a circle: so the choice depends on the files alone), or to nobody.
   *
   * @param options.decodeSize pictures keep their shape, with at most so many pixels on their short side, instead of
   *   getting the source's; those that lie in memory stay as they are
   * @throws DataError where a whole class is unreadable
   */
  async each(requested: Int32Array, options: ReadOptions, use: UseSample): Promise<void> {
    const { source } = this;
    const { corrupt, decodeSize, cancelled = () => false } = options;
    if (source.kind === 'memory' && (decodeSize !== undefined || isAsStored(source))) {
      const [height, width, channels] = source.stored;
      if (channels === source.shape[2]) {
        const length = height * width * channels;
        requested.forEach((index, place) => {
          const start = source.rows[index] * length;
          use(place, index, { data: source.pixels.subarray(start, start + length), height, width, channels });
        });
        return;
      }
    }
    let next = 0;
    const lane = async () => {
      while (next < requested.length && !cancelled()) {
        const place = next++;
        const found = await this.find(requested[place], corrupt, decodeSize);
        if (found !== undefined) use(place, found.index, found.picture);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }

  /** Files found corrupt since the last call. */
  takeSkipped(): SkippedFile[] {
    return this.skipped.splice(0);
  }

  private async find(requested: number, corrupt: 'replace' | 'drop', decodeSize: number | undefined) {
    for (const index of corrupt === 'drop' ? [requested] : this.circle(requested)) {
      if (this.bad.has(index)) continue;
      try {
        return { index, picture: await this.decode(index, decodeSize) };
      } catch (error) {
        if (!(error instanceof DataError) || this.source.kind === 'memory') throw error;
        if (this.bad.has(index)) continue; // another lane met it meanwhile
        this.bad.add(index);
        this.skipped.push({ path: join(this.source.root, this.source.paths[index]), reason: error.message });
      }
    }
    if (corrupt === 'drop') return undefined;
    const name: string | undefined = this.source.classes[this.source.labels[requested]];
    throw new DataError(`none of the images ${name === undefined ? '' : `of class '${name}' `}can be read`);
  }

  /** The sample itself, then the others of its class in ascending order, round to where it began. */
  private *circle(index: number): Generator<number> {
    yield index;
    this.members ??= samplesByClass(this.source.labels);
    const members = this.members.get(this.source.labels[index]) ?? [];
    const at = members.indexOf(index);
    for (let step = 1; step < members.length; step++) yield members[(at + step) % members.length];
  }

  private async decode(index: number, decodeSize: number | undefined): Promise<Picture> {
    const { source } = this;
    const [height, width, channels] = source.shape;
    if (source.kind === 'memory') return { data: await this.resize(source, index), height, width, channels };
    let bytes: Uint8Array;
    try {
      bytes = await readFile(join(source.root, source.paths[index]));
    } catch (error) {
      throw fileProblem(error);
    }
    if (decodeSize !== undefined) return decodeLarge(bytes, decodeSize, channels);
    return {
      data: await decodeBytes(bytes, source.shape, source.resize, source),
      height,
      width,
      channels,
    };
  }

  /** Half a millisecond in sharp, so it is done once where there is room to keep the result. */
  private async resize(source: MemorySource, index: number): Promise<Uint8Array> {
    const { resized } = source;
    const slot = resized?.pixels.subarray(index * this.bytes, (index + 1) * this.bytes);
    if (resized !== undefined && slot !== undefined && Atomics.load(resized.filled, index) === 1) return slot;
    const [height, width, channels] = source.stored;
    const length = height * width * channels;
    // Copied out: sharp does not take shared memory.
    const data = Uint8Array.from(
      source.pixels.subarray(source.rows[index] * length, (source.rows[index] + 1) * length),
    );
    const pixels = { data, height, width, channels: channels === 1 ? 1 : 3 } as const;
    const image = await decodePixels(pixels, source.shape, source.resize, source);
    if (resized !== undefined && slot !== undefined) {
      slot.set(image);
      Atomics.store(resized.filled, index, 1);
    }
    return image;
  }
}

/** Whether stored images are what is wanted, without a change. */
export function isAsStored({ stored, shape, crop = 1 }: Pick<MemorySource, 'stored' | 'shape' | 'crop'>): boolean {
  return sameShape(stored, shape) && crop === 1;
}

export function sameShape(a: ImageShape, b: ImageShape): boolean {
  return a.every((size, i) => size === b[i]);
}

function withoutGaps(samples: DecodedSamples, bytes: number): DecodedSamples {
  const there = Array.from(samples.indices.keys()).filter((i) => samples.indices[i] >= 0);
  there.forEach((from, to) => {
    samples.images.copyWithin(to * bytes, from * bytes, (from + 1) * bytes);
  });
  return {
    images: samples.images.slice(0, there.length * bytes),
    indices: Int32Array.from(there, (i) => samples.indices[i]),
    requested: Int32Array.from(there, (i) => samples.requested[i]),
  };
}
