/** From an image file's bytes to the network's: the one way, for training and prediction alike, so that they see the
 *  same picture. JPEG, PNG, WebP, AVIF, GIF and TIFF through sharp (libvips), BMP through our own reader. */
import { readFile } from 'node:fs/promises';
import type { Region, ResizeOptions, Sharp, default as SharpModule } from 'sharp';
import type { RawPixels } from '../bmp.ts';
import { decodeBmp, MOST_PIXELS } from '../bmp.ts';
import { beforeCut } from '../cut.ts';
import type { ImageShape, ResizeDetails, ResizeMode } from '../dataset.ts';
import { DataError, PixelLimitError, TOO_LARGE } from '../errors.ts';

export interface DecodeOptions extends ResizeDetails {
  /** Height and width in pixels; one number for a square. Default 224. */
  readonly size?: number | readonly [height: number, width: number];
  /** 3 for colour (grey pictures are repeated), 1 for grey. Default 3. */
  readonly channels?: 1 | 3;
  /** Default `cover`. */
  readonly resize?: ResizeMode;
  /** Width × height that a picture may have before it is scaled; known before it is decoded. Default 268 million. */
  readonly maxPixels?: number | undefined;
}

const FITS = { cover: 'cover', contain: 'contain', stretch: 'fill' } as const;
const KERNELS = { nearest: 'nearest', bilinear: 'linear', bicubic: 'cubic', lanczos: 'lanczos3' } as const;

/**
 * Decodes one image file, or its bytes, to bytes 0–255, height × width × channels. The EXIF orientation is applied,
 * transparency is laid on white, any colour space becomes sRGB (or its luminance), 16 bits become 8, of an animation the
 * first frame is taken. Scaling is Lanczos unless `interpolation` says otherwise; for large JPEGs the decoder itself skips what the size does not need.
 *
 * @throws DataError, in one line, for what is not a readable image; PixelLimitError for more than `maxPixels`
 */
export async function decodeImage(input: string | Uint8Array, options: DecodeOptions = {}): Promise<Uint8Array> {
  const shape = targetShape(options);
  checkDetails(options);
  const name = typeof input === 'string' ? input : 'image';
  try {
    const bytes =
      typeof input === 'string' ? await readFile(input).catch((e) => Promise.reject(fileProblem(e))) : input;
    return await decodeBytes(bytes, shape, options.resize ?? 'cover', options);
  } catch (error) {
    if (error instanceof PixelLimitError) throw new PixelLimitError(`${name}: ${error.message}`);
    throw error instanceof DataError ? new DataError(`${name}: ${error.message}`) : error;
  }
}

/** `decodeImage` for bytes, with the reason alone in its errors. */
export async function decodeBytes(
  bytes: Uint8Array,
  shape: ImageShape,
  resize: ResizeMode,
  details: ResizeDetails & Pick<DecodeOptions, 'maxPixels'> = {},
): Promise<Uint8Array> {
  return (
    await fit(await open(bytes, details.maxPixels), fitting(shape, resize, details), shape[2], cutOf(shape, details))
  ).data;
}

/** At its own shape, with at most `shortSide` pixels on its short side: for crops that need more than the network's. */
export async function decodeLarge(bytes: Uint8Array, shortSide: number, channels: number): Promise<DecodedPicture> {
  const size = { width: shortSide, height: shortSide, fit: 'outside', withoutEnlargement: true } as const;
  return fit(await open(bytes), size, channels);
}

/** A decoded picture, height × width × channels. */
export interface DecodedPicture {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

async function open(bytes: Uint8Array, maxPixels = MOST_PIXELS): Promise<Sharp> {
  const sharp = await loadSharp();
  if (formatOf(bytes) === 'bmp') return raw(sharp, decodeBmp(bytes, maxPixels));
  // Libvips's `error` level refuses truncated files, but not harmless oddities that every viewer forgives.
  return sharp(bytes, { failOn: 'error', autoOrient: true, limitInputPixels: maxPixels });
}

/** The same for pixels that are decoded already. */
export async function decodePixels(
  pixels: RawPixels,
  shape: ImageShape,
  resize: ResizeMode,
  details: ResizeDetails = {},
): Promise<Uint8Array> {
  const image = raw(await loadSharp(), pixels);
  return (await fit(image, fitting(shape, resize, details), shape[2], cutOf(shape, details))).data;
}

function raw(sharp: typeof SharpModule, { data, width, height, channels }: RawPixels): Sharp {
  return sharp(data, { raw: { width, height, channels } });
}

function fitting(shape: ImageShape, resize: ResizeMode, details: ResizeDetails): ResizeOptions {
  const [height, width] = beforeCut(shape, details);
  return { width, height, fit: FITS[resize], background: '#000', kernel: KERNELS[details.interpolation ?? 'lanczos'] };
}

function cutOf(shape: ImageShape, details: ResizeDetails): Region | undefined {
  const [height, width] = shape;
  const [before, across] = beforeCut(shape, details);
  if (before === height && across === width) return undefined;
  return { height, width, top: Math.floor((before - height) / 2), left: Math.floor((across - width) / 2) };
}

/** @throws DataError for a crop outside 0–1 or an unknown interpolation */
export function checkDetails({ crop = 1, interpolation = 'lanczos' }: ResizeDetails): void {
  if (!(crop > 0 && crop <= 1)) throw new DataError(`crop must be greater than 0 and at most 1, received ${crop}`);
  if (!Object.hasOwn(KERNELS, interpolation)) {
    throw new DataError(`interpolation must be one of ${Object.keys(KERNELS).join(', ')}; received '${interpolation}'`);
  }
}

/** With four channels, transparency is kept as the fourth instead of being laid on white. */
async function fit(image: Sharp, size: ResizeOptions, channels: number, cut?: Region): Promise<DecodedPicture> {
  const opaque = channels === 4 ? image.toColourspace('srgb').ensureAlpha() : image.flatten({ background: '#fff' });
  const resized = opaque.resize(size);
  const { data, info } = await (cut === undefined ? resized : resized.extract(cut))
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => Promise.reject(decodingProblem(firstLine(error))));
  const { height, width } = info;
  if (info.channels === channels) {
    return { data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength), height, width, channels };
  }
  if (info.channels !== 1 || channels !== 3) {
    throw new Error(`internal: sharp made ${info.channels} channels where ${channels} were asked for`);
  }
  const repeated = new Uint8Array(data.length * 3);
  for (let i = 0; i < data.length; i++) repeated.fill(data[i], 3 * i, 3 * i + 3);
  return { data: repeated, height, width, channels };
}

function decodingProblem(reason: string): DataError {
  // Libvips has no code for it.
  return reason.includes('exceeds pixel limit') ? new PixelLimitError(TOO_LARGE) : new DataError(`damaged: ${reason}`);
}

/**
 * Checks and completes size and channels.
 *
 * @throws DataError for sizes that are not whole and positive, or channels other than 1 and 3
 */
export function targetShape({ size = 224, channels = 3 }: Pick<DecodeOptions, 'size' | 'channels'>): ImageShape {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  if (![height, width].every((n) => Number.isInteger(n) && n > 0 && n <= 16384)) {
    throw new DataError(`size must be whole numbers of pixels from 1 to 16384, received ${size}`);
  }
  if (channels !== 1 && channels !== 3) throw new DataError(`channels must be 1 or 3, received ${channels}`);
  return [height, width, channels];
}

/** What a failed file operation means for one image; trouble of the machine's own stays as it is. */
export function fileProblem(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return new DataError('no such file');
  if (code === 'EISDIR') return new DataError('this is a folder, not an image');
  if (code === 'EACCES' || code === 'EPERM') return new DataError('no permission to read it');
  if (code === 'EIO') return new DataError('the disk cannot read it');
  return error;
}

/** By content: people rename files. */
function formatOf(bytes: Uint8Array): 'bmp' | 'other' {
  if (bytes.length === 0) throw new DataError('empty file');
  const text = String.fromCharCode(...bytes.subarray(0, 64));
  if (/^BM.{4}\0\0\0\0/s.test(text)) return 'bmp';
  const isImage =
    text.startsWith('\xff\xd8\xff') ||
    text.startsWith('\x89PNG\r\n\x1a\n') ||
    text.startsWith('GIF8') ||
    /^RIFF.{4}WEBP/s.test(text) ||
    /^(II[*+]\0|MM\0[*+])/.test(text) ||
    /^.{4}ftyp.*avi[fs]/s.test(text);
  if (isImage) return 'other';
  const found = /^.{4}ftyp/s.test(text)
    ? 'it is HEIC or a video'
    : `it begins with ${JSON.stringify(text.slice(0, 8))}`;
  throw new DataError(`not a JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP image: ${found}`);
}

let loaded: Promise<typeof SharpModule> | undefined;

/**
 * Sharp, loaded at first use: a program that trains on arrays never needs it. Its own threads and cache are turned
 * off for the process: files are decoded side by side, and the cores belong to training.
 *
 * @throws DataError where it is not installed for this platform
 */
export function loadSharp(): Promise<typeof SharpModule> {
  loaded ??= import('sharp').then(
    ({ default: sharp }) => {
      sharp.concurrency(1);
      sharp.cache(false);
      return sharp;
    },
    (error) => {
      throw new DataError(`images are decoded by the package sharp, which does not load here: ${firstLine(error)}`);
    },
  );
  return loaded;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().split('\n')[0];
}
