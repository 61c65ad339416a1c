/** Windows bitmaps: the one common format that sharp cannot read. Follows Microsoft's "Bitmap Storage": palettes, RLE,
 *  bit fields and rows from either end, which the small libraries leave out. */
import { DataError, PixelLimitError, TOO_LARGE } from './errors.ts';

/** Pixels as a decoder gives them: rows from the top, channels grey, RGB or RGBA. */
export interface RawPixels {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3 | 4;
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly compression: number;
  readonly pixels: number;
  /** RGB triples. */
  readonly palette: Uint8Array;
  /** Red, green, blue, alpha. */
  readonly masks: readonly number[];
}

const RGB = 0;
const RLE8 = 1;
const RLE4 = 2;
const BITFIELDS = 3;
const ALPHA_BITFIELDS = 6;
/** As sharp's own limit. */
export const MOST_PIXELS = 0x3fff ** 2;

/** @throws DataError with the reason, without the file's name; PixelLimitError for more than `maxPixels` */
export function decodeBmp(bytes: Uint8Array, maxPixels = MOST_PIXELS): RawPixels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const header = readHeader(view);
    if (header.width * header.height > maxPixels) throw new PixelLimitError(TOO_LARGE);
    if (header.bits > 8) return readColours(view, header);
    const indices = header.compression === RGB ? readIndices(view, header) : readRuns(view, header);
    const data = new Uint8Array(indices.length * 3);
    for (let i = 0; i < indices.length; i++) {
      for (let c = 0; c < 3; c++) data[3 * i + c] = header.palette[3 * indices[i] + c];
    }
    return { data, width: header.width, height: header.height, channels: 3 };
  } catch (error) {
    if (error instanceof RangeError) throw new DataError(`damaged: a BMP of ${bytes.length} bytes ends too early`);
    throw error;
  }
}

function readHeader(view: DataView): Header {
  const size = view.getUint32(14, true);
  const core = size === 12;
  const width = core ? view.getUint16(18, true) : view.getInt32(18, true);
  const rows = core ? view.getInt16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(core ? 24 : 28, true);
  const compression = core ? RGB : view.getUint32(30, true);
  const height = Math.abs(rows);
  if (width <= 0 || height === 0 || width * height > MOST_PIXELS) {
    throw new DataError(`damaged: a BMP of ${width} x ${height} pixels`);
  }
  const fields = compression === BITFIELDS || compression === ALPHA_BITFIELDS;
  const known =
    (compression === RGB && [1, 4, 8, 16, 24, 32].includes(bits)) ||
    (compression === RLE8 && bits === 8) ||
    (compression === RLE4 && bits === 4) ||
    (fields && (bits === 16 || bits === 32));
  if (!known) throw new DataError(`not a kind of BMP that can be read: ${bits} bits, compression ${compression}`);
  const hasAlpha = fields && (size >= 56 || compression === ALPHA_BITFIELDS);
  const masks = fields
    ? [54, 58, 62, ...(hasAlpha ? [66] : [])].map((at) => view.getUint32(at, true))
    : bits === 16
      ? [0x7c00, 0x03e0, 0x001f]
      : [0xff0000, 0xff00, 0xff];
  const header = { width, height, topDown: rows < 0, bits, compression, pixels: view.getUint32(10, true), masks };
  return { ...header, palette: bits > 8 ? new Uint8Array() : readPalette(view, size, bits) };
}

/** Missing entries are black. */
function readPalette(view: DataView, size: number, bits: number): Uint8Array {
  const [stride, used] = size === 12 ? [3, 0] : [4, view.getUint32(46, true)];
  const palette = new Uint8Array(3 * 256);
  const entries = Math.min(used === 0 ? 1 << bits : used, 1 << bits);
  for (let i = 0; i < entries; i++) {
    for (let c = 0; c < 3; c++) palette[3 * i + c] = view.getUint8(14 + size + i * stride + 2 - c);
  }
  return palette;
}

/** Where each row of the picture lies in the file; rows are padded to four bytes. */
function rowStart(header: Header, y: number): number {
  const stride = Math.ceil((header.width * header.bits) / 32) * 4;
  return header.pixels + (header.topDown ? y : header.height - 1 - y) * stride;
}

function readIndices(view: DataView, header: Header): Uint8Array {
  const { width, height, bits } = header;
  const indices = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = rowStart(header, y);
    for (let x = 0; x < width; x++) {
      const shift = 8 - bits - ((x * bits) & 7);
      indices[y * width + x] = (view.getUint8(row + ((x * bits) >> 3)) >> shift) & ((1 << bits) - 1);
    }
  }
  return indices;
}

/** RLE8 and RLE4: pairs (count, value); a count of 0 escapes to end of line, end of picture, a jump, or literals. */
function readRuns(view: DataView, header: Header): Uint8Array {
  const { width, height, compression } = header;
  const indices = new Uint8Array(width * height);
  const nibbles = compression === RLE4;
  let at = header.pixels;
  let x = 0;
  let row = 0;
  const put = (value: number) => {
    if (x < width && row < height) indices[(header.topDown ? row : height - 1 - row) * width + x] = value;
    x++;
  };
  const half = (byte: number, i: number) => (nibbles ? (byte >> (i % 2 === 0 ? 4 : 0)) & 15 : byte);
  while (row < height) {
    const count = view.getUint8(at++);
    const value = view.getUint8(at++);
    if (count > 0) {
      for (let i = 0; i < count; i++) put(half(value, i));
    } else if (value === 0) {
      x = 0;
      row++;
    } else if (value === 1) {
      break;
    } else if (value === 2) {
      x += view.getUint8(at++);
      row += view.getUint8(at++);
    } else {
      for (let i = 0; i < value; i++) put(half(view.getUint8(at + (nibbles ? i >> 1 : i)), i));
      const used = nibbles ? (value + 1) >> 1 : value;
      at += used + (used & 1);
    }
  }
  return indices;
}

function readColours(view: DataView, header: Header): RawPixels {
  const { width, height, bits } = header;
  const fields = header.masks.map((mask) => {
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
    return { mask, shift, most: mask >>> shift };
  });
  const channels = fields.length === 4 && fields[3].most > 0 ? 4 : 3;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const row = rowStart(header, y);
    for (let x = 0; x < width; x++) {
      const to = (y * width + x) * channels;
      if (bits === 24) {
        for (let c = 0; c < 3; c++) data[to + c] = view.getUint8(row + 3 * x + 2 - c);
        continue;
      }
      const word = bits === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true);
      for (let c = 0; c < channels; c++) {
        const { mask, shift, most } = fields[c];
        data[to + c] = most === 0 ? 0 : Math.round((((word & mask) >>> shift) * 255) / most);
      }
    }
  }
  return { data, width, height, channels };
}
