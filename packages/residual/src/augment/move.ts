/** Shifts by whole pixels and mirrors: the maps that need no interpolation, copied row by row.
 *  They are what most training runs do, so they keep every value as it is and cost next to nothing. */
import type { Affine, Size } from './affine.ts';
import { blank, type Edge, type Picture } from './transform.ts';
import { placeOf } from './warp.ts';

/** Whether a map takes pixels to pixels without turning or scaling. */
export function isMove([a, b, c, d, e, f]: Affine): boolean {
  return b === 0 && d === 0 && Math.abs(a) === 1 && Math.abs(e) === 1 && Number.isInteger(c) && Number.isInteger(f);
}

/** What `warp` does for such a map, in the same bits. */
export function move(picture: Picture, size: Size, [rowStep, , top, , columnStep, left]: Affine, edge: Edge): Picture {
  const { data, height, width, channels } = picture;
  const moved = blank(picture, size.height, size.width);
  const out = moved.data;
  const place = placeOf(edge.fillMode);
  // The columns of the output that show columns of the input: the others lie beyond an edge.
  const [first, last] = columnStep > 0 ? [-left, width - 1 - left] : [left - (width - 1), left];
  const inside = Math.max(0, Math.min(size.width, first));
  const end = Math.max(inside, Math.min(size.width, last + 1));
  const border = [...Array(inside).keys(), ...Array.from({ length: size.width - end }, (_, i) => end + i)];
  const sources = border.map((x) => place(columnStep * x + left, width));
  const row = size.width * channels;
  for (let y = 0; y < size.height; y++) {
    const source = place(rowStep * y + top, height);
    let to = y * row;
    if (source < 0) {
      for (let x = 0; x < size.width; x++) for (let c = 0; c < channels; c++) out[to++] = edge.cval[c];
      continue;
    }
    const line = source * width * channels;
    const start = line + (columnStep * inside + left) * channels;
    copy(data, start, out, to + inside * channels, end - inside, channels, columnStep);
    for (let i = 0; i < border.length; i++) {
      to = y * row + border[i] * channels;
      for (let c = 0; c < channels; c++)
        out[to + c] = sources[i] < 0 ? edge.cval[c] : data[line + sources[i] * channels + c];
    }
  }
  return moved;
}

/** `count` pixels, forwards or backwards. */
function copy(
  data: Picture['data'],
  from: number,
  out: Picture['data'],
  to: number,
  count: number,
  channels: number,
  step: number,
): void {
  if (step > 0) {
    const values = count * channels;
    for (let i = 0; i < values; i++) out[to + i] = data[from + i];
  } else if (channels === 3) {
    for (let i = 0; i < count; i++, from -= 3, to += 3) {
      out[to] = data[from];
      out[to + 1] = data[from + 1];
      out[to + 2] = data[from + 2];
    }
  } else {
    for (let i = 0; i < count; i++, from -= channels) for (let c = 0; c < channels; c++) out[to++] = data[from + c];
  }
}
