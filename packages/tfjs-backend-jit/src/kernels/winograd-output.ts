/**
 * The transforms at the output's side, between NHWC and planes of panels: M → Y = Aᵀ m A, in one go or band by band, finished
 * by an epilogue and summed for a batch norm on its way; and the output's gradient → D = A dy Aᵀ.
 */
import { call, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import { evaluate, inputsAt } from './epilogue.ts';
import { emitMomentStart, momentRow } from './moments.ts';
import { type Grid, planeBytes } from './winograd-grid.ts';
import {
  apply,
  applyTransposed,
  type Band,
  combine,
  groupBytes,
  LaneEmitter,
  type Lanes,
  transform2d,
  valuesOf,
} from './winograd-lanes.ts';
import { matrices } from './winograd-matrix.ts';
import { dispatch, eachGroup, pixelOffset, runsOf, type TileSpec, walk } from './winograd-tiles.ts';

/**
 * Emits `output(m, first, count, y, ...inputs, chunk)`: the products of `count` tiles → their outputs, from tile `first`.
 * The inputs are the epilogue's, at the channel of `y`, as is the chunk of moments, if they are taken.
 */
export function emitOutputTransform(m: ModuleBuilder, spec: TileSpec): number {
  const { grid, features } = spec;
  const { tile } = matrices(grid.m);
  const plane = planeBytes(spec.planeTiles, spec.planeChannels);
  return emitOutputWalk(m, spec, (height, width, moments) =>
    m.func(null, ['i32', 'i32', ...inputTypes(spec), ...chunkTypes(moments)], [], (f) => {
      const [products, ...results] = f.params;
      const e = new LaneEmitter(f, features);
      e.prepare(tile);
      eachGroup(f, spec, e, [products], results, () => {
        const outputs = new Outputs(e, spec, results, moments);
        transform2d(
          grid.n,
          (values) => applyTransposed(e, tile, values),
          (values) => applyTransposed(e, tile, values),
          (i, j) => e.load(products, (i * grid.n + j) * plane),
          (i, values) => {
            if (i >= height) return;
            values.slice(0, width).forEach((value, j) => {
              outputs.write(i, j, value);
            });
          },
        );
        outputs.end(height * width);
      });
    }),
  );
}

/** Bytes from a tile's first output to another one. */
const outputOffset = ({ convolution: c }: TileSpec, row: number, column: number): number =>
  (row * c.outWidth + column) * c.outChannels * 4;

/** Where the outputs of one group of channels of a tile go: through the epilogue to y, and into a chunk's moments. */
class Outputs {
  private readonly e: LaneEmitter;
  private readonly spec: TileSpec;
  private readonly y: Local;
  private readonly inputs: readonly Local[];
  private readonly sums: MomentSums | undefined;

  /** @param results y, the epilogue's inputs, and the chunk, if moments are taken */
  constructor(e: LaneEmitter, spec: TileSpec, results: readonly Local[], moments: boolean) {
    this.e = e;
    this.spec = spec;
    [this.y, ...this.inputs] = results;
    this.sums = moments ? new MomentSums(e, spec, results[results.length - 1]) : undefined;
  }

  write(row: number, column: number, value: Lanes): void {
    const { e, spec, inputs } = this;
    const { epilogue } = spec;
    const offset = outputOffset(spec, row, column);
    const finished =
      epilogue === undefined
        ? value
        : e.compute((h) =>
            evaluate(epilogue, e.scope, value?.[h] ?? v128.const_f32x4(0), (i) =>
              v128.load(inputs[i], (epilogue.inputs[i] === 'element' ? offset : 0) + 16 * h),
            ),
          );
    e.store(this.y, offset, finished);
    this.sums?.add(finished);
  }

  /** All `pixels` outputs were written. */
  end(pixels: number): void {
    this.sums?.store(pixels);
  }
}

/** The moments of one group of channels, from a chunk's numbers and back to them. */
class MomentSums {
  private readonly e: LaneEmitter;
  private readonly chunk: Local;
  private readonly row: number;
  private readonly shift: Lanes;
  private sum: Lanes;
  private squares: Lanes;

  constructor(e: LaneEmitter, spec: TileSpec, chunk: Local) {
    this.e = e;
    this.chunk = chunk;
    this.row = momentRow(spec.convolution.outChannels);
    this.shift = e.load(chunk, 0);
    this.sum = e.load(chunk, this.row);
    this.squares = e.load(chunk, 2 * this.row);
  }

  add(value: Lanes): void {
    const { e } = this;
    const apart = e.sub(value, this.shift);
    this.sum = e.add(this.sum, apart);
    this.squares = e.addSquare(apart, this.squares);
  }

  store(pixels: number): void {
    const { e, chunk, row } = this;
    e.store(chunk, row, this.sum);
    e.store(chunk, 2 * row, this.squares);
    e.store(chunk, 3 * row, e.addConstant(e.load(chunk, 3 * row), pixels));
  }
}

/**
 * The output's transform band by band, each when its products are there. Emits for a pair `half(m, parts)`: every row
 * of products → the values of a row of the output, their sum and difference to the parts; for the others
 * `output(m, first, count, y, parts, ...inputs, chunk)`: these and all parts → y.
 */
export function emitOutputBands(m: ModuleBuilder, spec: TileSpec, bands: readonly Band[]): number[] {
  let part = 0;
  return bands.map((band) => {
    if (band.kind === 'single') return emitLastBand(m, spec, band, part);
    part += 2 * spec.grid.m;
    return emitPairBand(m, spec, part - 2 * spec.grid.m);
  });
}

/** Planes of parts that the pairs leave behind. */
export const partPlanes = (grid: Grid, bands: readonly Band[]): number => 2 * grid.m * (bands.length - 1);

/** The values along a row of the output, of row `row` of products. */
function alongRow(e: LaneEmitter, spec: TileSpec, products: Local, row: number): Lanes[] {
  const { grid, planeTiles, planeChannels } = spec;
  const plane = planeBytes(planeTiles, planeChannels);
  const values = Array.from({ length: grid.n }, (_, j) => e.load(products, (row * grid.n + j) * plane));
  return applyTransposed(e, matrices(grid.m).tile, values);
}

function emitPairBand(m: ModuleBuilder, spec: TileSpec, part: number): number {
  const { grid, features, planeTiles, planeChannels } = spec;
  const { tile } = matrices(grid.m);
  const plane = planeBytes(planeTiles, planeChannels);
  const step = groupBytes(features);
  return m.func(null, ['i32', 'i32'], [], (f) => {
    const [products, parts] = f.params;
    const left = f.local('i32');
    const e = new LaneEmitter(f, features);
    e.prepare(tile);
    f.set(left, i32.const((planeTiles * planeChannels * 4) / step));
    f.loop((top) => {
      const [first, second] = [0, 1].map((row) => alongRow(e, spec, products, row));
      first.forEach((value, j) => {
        e.store(parts, (part + j) * plane, e.add(value, second[j]));
        e.store(parts, (part + grid.m + j) * plane, e.sub(value, second[j]));
      });
      e.forget();
      f.inc(products, step);
      f.inc(parts, step);
      f.set(left, i32.sub(left, i32.const(1)));
      f.brIf(top, left);
    });
  });
}

function emitLastBand(m: ModuleBuilder, spec: TileSpec, band: Band, parts: number): number {
  const { grid, features } = spec;
  const { tile } = matrices(grid.m);
  const plane = planeBytes(spec.planeTiles, spec.planeChannels);
  // M and the parts move alike.
  return emitOutputWalk(
    m,
    spec,
    (height, width, moments) =>
      m.func(null, ['i32', 'i32', 'i32', ...inputTypes(spec), ...chunkTypes(moments)], [], (f) => {
        const [products, from, ...results] = f.params;
        const e = new LaneEmitter(f, features);
        e.prepare(tile);
        eachGroup(f, spec, e, [products, from], results, () => {
          const outputs = new Outputs(e, spec, results, moments);
          const own = band.rows.map((_, row) => alongRow(e, spec, products, row));
          for (let j = 0; j < width; j++) {
            const others = Array.from({ length: parts / grid.m }, (_, k) => e.load(from, (k * grid.m + j) * plane));
            const operands = [own[0][j], ...others, own[1][j]];
            combine(e, tile, operands)
              .slice(0, height)
              .forEach((value, i) => {
                outputs.write(i, j, value);
              });
          }
          outputs.end(height * width);
        });
      }),
    true,
  );
}

/**
 * Emits `gradient(d, first, count, dy)`: the gradients of `count` tiles of the output → D, or the planes of one band of
 * it, from tile `first`.
 */
export function emitGradientTransform(m: ModuleBuilder, spec: TileSpec, band?: Band): number {
  const { grid, features } = spec;
  const { tile } = matrices(grid.m);
  const down = band?.cut(tile) ?? tile;
  const read = valuesOf(down);
  const plane = planeBytes(spec.planeTiles, spec.planeChannels);
  return emitOutputWalk(m, spec, (height, width) =>
    m.func(null, ['i32', 'i32'], [], (f) => {
      const [d, dy] = f.params;
      const e = new LaneEmitter(f, features);
      e.prepare(tile);
      eachGroup(f, spec, e, [d], [dy], () => {
        transform2d(
          grid.m,
          (values) => apply(e, down, values),
          (values) => apply(e, tile, values),
          (i, j) => (read.has(i) && i < height && j < width ? e.load(dy, outputOffset(spec, i, j)) : null),
          (i, values) => {
            values.forEach((value, j) => {
              e.store(d, (i * grid.n + j) * plane, value);
            });
          },
        );
      });
    }),
  );
}

/** Emits a walk over tiles of the output; `emitTile(height, width)` makes the function of tiles of one size. */
function emitOutputWalk(
  m: ModuleBuilder,
  spec: TileSpec,
  emitTile: (height: number, width: number, moments: boolean) => number,
  hasParts = false,
): number {
  const { moments = false } = spec;
  const { convolution: c, grid } = spec;
  const pixel = c.outChannels * 4;
  const heights = runsOf(grid.rows, (tile) => [Math.min(grid.m, c.outHeight - tile * grid.m)]);
  const widths = runsOf(grid.columns, (tile) => [Math.min(grid.m, c.outWidth - tile * grid.m)]);
  const variants = heights.map((h) => widths.map((w) => emitTile(h.value[0], w.value[0], moments)));
  // A chunk of moments is summed around its first output.
  const firstOutput = moments ? emitTile(1, 1, false) : -1;
  const clear = moments ? emitMomentStart(m, c.outChannels) : -1;
  const partTypes = hasParts ? ['i32' as const] : [];
  const types = ['i32', 'i32', 'i32', 'i32', ...partTypes, ...inputTypes(spec), ...chunkTypes(moments)] as const;
  return m.func(null, types, [], (f) => {
    const [planes, first, count, image] = f.params;
    const parts = hasParts ? [f.params[4]] : [];
    const inputs = f.params.slice(4 + parts.length, 4 + parts.length + inputTypes(spec).length);
    const chunk = moments ? f.params.slice(-1) : [];
    const [top, left, offset, at] = f.locals('i32', 4);
    walk(f, grid, first, count, [planes, ...parts], ({ tile, batch, row, column }) => {
      f.set(top, i32.mul(row, i32.const(grid.m)));
      f.set(left, i32.mul(column, i32.const(grid.m)));
      f.set(offset, pixelOffset(batch, top, left, c.outHeight, c.outWidth, pixel));
      f.set(at, i32.add(image, offset));
      const others = spec.epilogue ? inputsAt(spec.epilogue, inputs, offset, i32.const(0)) : [];
      for (const numbers of chunk) {
        f.if(i32.eq(tile, first), () => {
          f.push(call(firstOutput, planes, ...parts, numbers, ...others));
          f.push(call(clear, numbers, numbers, i32.const(spec.channels)));
        });
      }
      dispatch(f, row, heights, (h) =>
        dispatch(f, column, widths, (w) => f.push(call(variants[h][w], planes, ...parts, at, ...others, ...chunk))),
      );
    });
  });
}

const inputTypes = (spec: TileSpec) => (spec.epilogue?.inputs ?? []).map(() => 'i32' as const);

const chunkTypes = (moments: boolean) => (moments ? ['i32' as const] : []);
