/**
 * Gradients of pooling for windows with many taps: loops over the taps instead of straight-line code.
 * What is left of dy while a window's maximum is searched lives in scratch, one value per channel.
 */
import { type Func, f32x4, i32, type Local, select, v128 } from '../wasm/assembler.ts';
import { type Block, loadBlock, maxS, type Range, storeBlock, walk } from './move-pieces.ts';
import { type GradRow, gradOfWindow } from './pool-grad-row.ts';
import { inRowBytes, pixelBytes, tapRange } from './pool-window.ts';

/** Adds all windows of one window row to dx, whose owned rows are initialised; other rows go to a dump in scratch. */
export function emitLoopedScatter(f: Func, g: GradRow): void {
  const s = g.shape;
  const scratch = f.param(1);
  const [column, left, i, j, x, dx, rest, xRow, row, owned] = f.locals('i32', 10);
  const rows = tapRange(f, g.top, s.inHeight, s.filterHeight, s.dilationHeight);
  const loop = (counter: Local, range: Range, body: () => void) => {
    f.set(range.to, maxS(range.to, range.from));
    f.for(counter, range.from, range.to, 1, body);
  };
  const inOrder = (block: Block, store: (offset: number) => void) => {
    for (const o of block.offsets.toReversed()) store(o);
  };
  f.for(column, 0, s.outWidth, 1, () => {
    f.set(left, i32.sub(i32.mul(column, i32.const(s.strideWidth)), i32.const(s.padLeft)));
    const columns = tapRange(f, left, s.inWidth, s.filterWidth, s.dilationWidth);
    f.set(rest, scratch);
    const forward = g.kind === 'max' ? [rest, g.dy, g.y] : [rest, g.dy];
    walk(f, s.inChannels, forward, (b) => inOrder(b, (o) => f.push(storeBlock(b, rest, gradOfWindow(g, b, o), o))));
    loop(i, rows, () => {
      f.set(row, i32.add(g.top, i32.mul(i, i32.const(s.dilationHeight))));
      f.set(owned, i32.and(i32.ge_s(row, g.low), i32.lt_s(row, g.high)));
      f.set(xRow, i32.mul(row, i32.const(inRowBytes(s))));
      loop(j, columns, () => {
        const pixel = i32.mul(i32.add(left, i32.mul(j, i32.const(s.dilationWidth))), i32.const(pixelBytes(s)));
        f.set(x, i32.add(xRow, pixel));
        f.set(dx, select(i32.add(g.dx, x), i32.add(scratch, i32.const(pixelBytes(s))), owned));
        f.set(x, i32.add(g.x, x));
        f.set(rest, scratch);
        if (g.kind === 'avg')
          walk(f, s.inChannels, [rest, dx], (b) => inOrder(b, (o) => addTo(b, dx, loadBlock(b, rest, o), o)));
        else {
          f.set(g.y, i32.sub(g.y, i32.const(pixelBytes(s))));
          walk(f, s.inChannels, [rest, dx, x, g.y], (b) => inOrder(b, (o) => takeShare(b, o)));
        }
      });
    });
  });
  function addTo(b: Block, to: Local, value: ReturnType<typeof loadBlock>, o: number): void {
    f.push(storeBlock(b, to, f32x4.add(loadBlock(b, to, o), value), o));
  }
  function takeShare(b: Block, o: number): void {
    const equal = f.local('v128');
    f.set(equal, f32x4.eq(loadBlock(b, x, o), loadBlock(b, g.y, o)));
    addTo(b, dx, v128.and(loadBlock(b, rest, o), equal), o);
    f.push(storeBlock(b, rest, v128.andnot(loadBlock(b, rest, o), equal), o));
  }
}
