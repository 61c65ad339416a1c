/**
 * Copies what a block of output pixels reads into scratch, zeros for the padding, so the hot loop needs no borders.
 * Channels in panels of 16 where they divide: raw rows at 128, 256, 512 channels fall on the same cache sets.
 */
import { call, type Expr, i32, type ModuleBuilder, select, v128 } from '../wasm/assembler.ts';
import { type PackedAxis, packAxis } from './conv2d-direct-axis.ts';
import type { Grid, Image } from './conv2d-direct-grid.ts';
import type { Copies } from './gemm-copy.ts';

/** Channels of a panel: one cache line. */
export const PANEL = 16;

/** A window's layout: [panel][image][row][column][16], or [image][row][column][channels] without panels. */
export interface Window {
  readonly source: Image;
  readonly y: PackedAxis;
  readonly x: PackedAxis;
  readonly height: number;
  readonly width: number;
  /** Panels of 16 channels, or 0. */
  readonly panels: number;
  readonly pixelBytes: number;
  readonly rowBytes: number;
  readonly imageBytes: number;
  readonly panelBytes: number;
  readonly bytes: number;
}

/** The window of a block of `grid`. `maxPanels`: how many panels it holds at a time, where that is not all of them. */
export function planWindow(source: Image, { axisY, axisX, block }: Grid, maxPanels?: number): Window {
  const y = packAxis(axisY);
  const x = packAxis(axisX);
  const height = y.extent(block.rows);
  const width = x.extent(block.columns);
  const panels = source.channels % PANEL === 0 ? source.channels / PANEL : 0;
  const pixelBytes = (panels > 0 ? PANEL : source.channels) * 4;
  const rowBytes = width * pixelBytes;
  const imageBytes = height * rowBytes;
  // A cache line more, so that the same pixel of two panels rarely falls on the same set.
  const panelBytes = block.images * imageBytes + 64;
  const bytes = panelBytes * (panels > 0 ? Math.min(maxPanels ?? panels, panels) : 1);
  return { source, y, x, height, width, panels, pixelBytes, rowBytes, imageBytes, panelBytes, bytes };
}

/**
 * Emits `fill(from, image, images, y, x, to, firstPanel, panels)`: copies the window of `images` images whose first
 * packed row and column are at (y, x) of the source, which may lie outside of it.
 */
export function emitFillWindow(m: ModuleBuilder, window: Window, copies: Copies): number {
  const { source, rowBytes, imageBytes, panelBytes, pixelBytes, width } = window;
  const read = window.x.read;
  const paneled = window.panels > 0;
  const floats = pixelBytes / 4;
  const sourcePixel = source.channels * 4;
  const copyPanel = paneled ? emitCopyPanel(m, PANEL) : 0;
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [from, image, images, y, x, to, firstPanel, panels] = f.params;
    const [i, r, sy, low, high, at, row, panel, part] = f.locals('i32', 9);
    // Columns low … high − 1 of the window are inside the source.
    const round = (e: Expr) => i32.div_s(i32.add(e, i32.const(read - 1)), i32.const(read));
    const limit = (e: Expr, lowest: Expr) => larger(lowest, smallerSigned(e, i32.const(width)));
    f.set(low, limit(round(i32.sub(i32.const(0), x)), i32.const(0)));
    f.set(high, limit(round(i32.sub(i32.const(source.width), x)), low));
    const zero = (e: Expr, first: Expr, count: Expr) =>
      f.push(
        call(copies.zeroFloats, i32.add(e, i32.mul(first, i32.const(pixelBytes))), i32.mul(count, i32.const(floats))),
      );
    const inside = (e: Expr) => i32.add(e, i32.mul(low, i32.const(pixelBytes)));
    f.for(i, 0, images, 1, () => {
      f.for(r, 0, window.height, 1, () => {
        f.set(at, i32.add(to, i32.mul(i, i32.const(imageBytes))));
        f.inc(at, i32.mul(r, i32.const(rowBytes)));
        f.set(sy, i32.add(y, i32.mul(r, i32.const(window.y.read))));
        f.set(row, i32.add(i32.mul(i32.add(image, i), i32.const(source.height)), sy));
        f.set(row, i32.add(i32.mul(row, i32.const(source.width)), i32.add(x, i32.mul(low, i32.const(read)))));
        f.set(row, i32.add(from, i32.mul(row, i32.const(sourcePixel))));
        const pieces = (copy: () => void) =>
          f.if(
            i32.lt_u(sy, i32.const(source.height)),
            () => {
              zero(part, i32.const(0), low);
              copy();
              zero(part, high, i32.sub(i32.const(width), high));
            },
            () => zero(part, i32.const(0), i32.const(width)),
          );
        if (paneled) {
          f.inc(row, i32.mul(firstPanel, i32.const(PANEL * 4)));
          f.set(part, at);
          f.for(panel, 0, panels, 1, () => {
            pieces(() => f.push(call(copyPanel, inside(part), row, i32.sub(high, low), i32.const(read * sourcePixel))));
            f.inc(part, panelBytes);
            f.inc(row, PANEL * 4);
          });
        } else {
          f.set(part, at);
          pieces(() => {
            const count = i32.sub(high, low);
            if (read === 1) f.push(call(copies.copyFloats, inside(part), row, i32.mul(count, i32.const(floats))));
            else {
              const strides = [i32.const(pixelBytes), i32.const(read * sourcePixel)];
              f.push(call(copies.copyRows, inside(part), row, count, i32.const(floats), ...strides));
            }
          });
        }
      });
    });
  });
}

/** Emits `copy(to, from, pixels, stride)`: `floats` (8 or 16) of each pixel, `stride` bytes apart, packed together. */
export function emitCopyPanel(m: ModuleBuilder, floats: number): number {
  return m.func(null, ['i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [to, from, pixels, stride] = f.params;
    const end = f.local('i32');
    const v = f.locals('v128', floats / 4);
    f.set(end, i32.add(to, i32.mul(pixels, i32.const(floats * 4))));
    f.for(to, to, end, floats * 4, () => {
      v.forEach((vector, j) => {
        f.set(vector, v128.load(from, j * 16));
      });
      for (let j = 0; j < v.length; j += 2) {
        f.push(v128.store(to, v[j + 1], j * 16 + 16));
        f.push(v128.store(to, v[j], j * 16));
      }
      f.inc(from, stride);
    });
  });
}

const larger = (a: Expr, b: Expr): Expr => select(a, b, i32.gt_s(a, b));
const smallerSigned = (a: Expr, b: Expr): Expr => select(a, b, i32.lt_s(a, b));
