/** Examines one picture file: what it claims, whether it can be decoded, and what it shows.
 *  Decoding is the one that training uses, so what passes here can be trained on. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DataError } from '../data/errors.ts';
import { decodeBytes, fileProblem, loadSharp } from '../data/node/decode.ts';
import { endingFits, formatOf, type ImageFormat, isComplete } from './file-format.ts';
import { type PictureFacts, pictureFacts } from './picture-facts.ts';

/** Side of the picture that is looked at: enough for every fact, and quick for large photographs. */
const lookedAt = 64;

export interface FileFacts {
  /** Undefined for what is no picture. */
  readonly format?: ImageFormat;
  /** The name's ending fits the content. */
  readonly endingFits: boolean;
  /** Pixels as stored, before EXIF rotation. */
  readonly width: number;
  readonly height: number;
  /** EXIF orientation, 1 to 8; 1 is upright. */
  readonly orientation: number;
  readonly transparent: boolean;
  readonly frames: number;
  /** Of the file's bytes: equal for exact copies. */
  readonly digest: string;
}

/** Why a file cannot be used. */
export interface FileProblem {
  readonly kind: 'missing' | 'empty' | 'truncated' | 'damaged' | 'unknown';
  readonly reason: string;
}

export interface ExaminedFile {
  readonly file?: FileFacts;
  readonly picture?: PictureFacts;
  readonly problem?: FileProblem;
}

/** Never throws for a bad file: what is wrong with it is the answer. */
export async function examineFile(path: string): Promise<ExaminedFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const known = fileProblem(error);
    if (!(known instanceof DataError)) throw known;
    return { problem: { kind: 'missing', reason: known.message } };
  }
  if (bytes.length === 0) return { problem: { kind: 'empty', reason: 'empty file' } };
  const format = formatOf(bytes);
  const digest = createHash('sha256').update(bytes).digest('base64url');
  const basic = { endingFits: format === undefined || endingFits(path, format), digest, ...(format && { format }) };
  const shape = await shapeOf(bytes, format);
  const file = { ...basic, ...shape };
  try {
    const pixels = await decodeBytes(bytes, [lookedAt, lookedAt, 3], 'stretch');
    const picture = pictureFacts(pixels, lookedAt, lookedAt, 3);
    if (format !== undefined && !isComplete(bytes, format)) {
      return { file, picture, problem: { kind: 'truncated', reason: 'the end of the file is missing' } };
    }
    return { file, picture };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const cut = format !== undefined && !isComplete(bytes, format);
    const kind = format === undefined ? 'unknown' : cut ? 'truncated' : 'damaged';
    return {
      file,
      problem: { kind, reason: cut ? `the end of the file is missing (${error.message})` : error.message },
    };
  }
}

type Shape = Pick<FileFacts, 'width' | 'height' | 'orientation' | 'transparent' | 'frames'>;

async function shapeOf(bytes: Uint8Array, format: ImageFormat | undefined): Promise<Shape> {
  const nothing = { width: 0, height: 0, orientation: 1, transparent: false, frames: 1 };
  if (format === 'bmp' && bytes.length >= 26) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { ...nothing, width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) };
  }
  const sharp = await loadSharp();
  try {
    const { width = 0, height = 0, orientation = 1, hasAlpha = false, pages = 1 } = await sharp(bytes).metadata();
    return { width, height, orientation, transparent: hasAlpha, frames: pages };
  } catch {
    return nothing; // the decoder says why
  }
}
