/** What a picture file says of itself before anything is decoded: its format by content, the ending that would fit, and
 *  whether its end is there. */

import { extname } from 'node:path';

export type ImageFormat = 'jpeg' | 'png' | 'gif' | 'webp' | 'tiff' | 'bmp' | 'avif' | 'heic';

/** Name endings that say the truth about each format. */
const endings: Readonly<Record<ImageFormat, readonly string[]>> = {
  jpeg: ['.jpg', '.jpeg', '.jpe', '.jfif'],
  png: ['.png'],
  gif: ['.gif'],
  webp: ['.webp'],
  tiff: ['.tif', '.tiff'],
  bmp: ['.bmp', '.dib'],
  avif: ['.avif'],
  heic: ['.heic', '.heif'],
};

/** By the first bytes; undefined for anything else. */
export function formatOf(bytes: Uint8Array): ImageFormat | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 32));
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (text.startsWith('GIF8')) return 'gif';
  if (/^RIFF.{4}WEBP/s.test(text)) return 'webp';
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) return 'tiff';
  if (/^.{4}ftyp.*avi[fs]/s.test(text)) return 'avif';
  if (/^.{4}ftyp(hei|hev|mif|msf)/s.test(text)) return 'heic';
  if (/^BM.{4}\0\0\0\0/s.test(text)) return 'bmp';
  return undefined;
}

/** Whether a file's name ends as its content does. */
export function endingFits(path: string, format: ImageFormat): boolean {
  return endings[format].includes(extname(path).toLowerCase());
}

/** The usual ending of a format. */
export function endingOf(format: ImageFormat): string {
  return endings[format][0];
}

/** False where the format says that more must follow; true where it does, or does not say. */
export function isComplete(bytes: Uint8Array, format: ImageFormat): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const endsWithin = (marker: readonly number[], reach: number) => {
    // Cameras and phones write things of their own after the end of the picture.
    for (let at = bytes.length - marker.length; at >= Math.max(0, bytes.length - reach); at--) {
      if (marker.every((byte, i) => bytes[at + i] === byte)) return true;
    }
    return false;
  };
  switch (format) {
    case 'jpeg':
      return endsWithin([0xff, 0xd9], bytes.length);
    case 'png':
      return endsWithin([0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82], 65_536);
    case 'gif':
      return endsWithin([0x3b], 1024);
    case 'webp':
      return bytes.length >= 12 && view.getUint32(4, true) + 8 <= bytes.length;
    case 'bmp':
      return bytes.length >= 6 && view.getUint32(2, true) <= bytes.length;
    default:
      return true;
  }
}
