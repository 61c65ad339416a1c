/** From a picture or a frame of a video to the numbers that the model eats, on a canvas: the part that the model's
 *  preprocessing keeps, at its size, normalised. Scaling is the browser's, so the last digits differ from Node's. */
import { type Preprocessing, seenRegion } from 'residual';

export type Source = ImageBitmap | HTMLVideoElement;

/** Height × width × channels; bytes 0–255, or normalised. */
export function pixelsOf(
  source: Source,
  preprocessing: Preprocessing,
  range: 'bytes' | 'normalised',
): Uint8Array | Float32Array {
  const [rows, columns, channels] = preprocessing.inputShape;
  const [width, height] =
    source instanceof HTMLVideoElement ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
  const canvas = new OffscreenCanvas(columns, rows);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser has no 2D canvas');
  context.imageSmoothingQuality = 'high';
  // The seen part fills the canvas; what is padded stays black, what is transparent lies on white.
  const seen = seenRegion({ width, height }, preprocessing);
  const place = [-seen.x / seen.width, -seen.y / seen.height, 1 / seen.width, 1 / seen.height] as const;
  const [x, y, w, h] = [place[0] * columns, place[1] * rows, place[2] * columns, place[3] * rows];
  context.fillRect(0, 0, columns, rows);
  context.fillStyle = '#fff';
  context.fillRect(x, y, w, h);
  context.drawImage(source, x, y, w, h);
  const { data } = context.getImageData(0, 0, columns, rows);
  const bytes = new Uint8Array(rows * columns * channels);
  for (let p = 0; p < rows * columns; p++) {
    if (channels === 1) bytes[p] = grey(data[4 * p], data[4 * p + 1], data[4 * p + 2]);
    else bytes.set(data.subarray(4 * p, 4 * p + 3), 3 * p);
  }
  if (range === 'bytes') return bytes;
  const { mean, std } = preprocessing;
  return Float32Array.from(bytes, (byte, i) => (byte / 255 - mean[i % channels]) / std[i % channels]);
}

/** Luminance of an sRGB colour, added up as light (IEC 61966-2-1, BT.709), as libvips does. */
function grey(red: number, green: number, blue: number): number {
  if (red === green && green === blue) return red;
  const light = (byte: number) => (byte <= 10 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
  const sum = 0.2126 * light(red) + 0.7152 * light(green) + 0.0722 * light(blue);
  return Math.round(255 * (sum <= 0.0031308 ? 12.92 * sum : 1.055 * sum ** (1 / 2.4) - 0.055));
}
