/**
 * Matrix products, batched or not, either side transposed: TF's BatchMatMul and _FusedMatMul without their extras.
 * Few rows: each piece packs its own columns of B. Many rows: B is packed once, in a step of its own.
 */
import { call, i32, type ModuleBuilder } from '../wasm/assembler.ts';
import { emitGemm, type GemmSpec, Layout, sliceBytes, smaller, Tiles } from './gemm.ts';
import { emitCopies } from './gemm-copy.ts';
import { type PackSource, packedBytes, packKernel } from './gemm-pack.ts';
import { emitStepTables, phasesOfRuns, stepsOf, stepTableBytes } from './gemm-steps.ts';
import { ROW_ENTRY, TILE_ROWS, tileColumns } from './gemm-tile.ts';
import { type Features, input, type Kernel, output, type Recipe, temp } from './kernel.ts';

/** A product of `batch` pairs of matrices. `batchA` or `batchB` false: one matrix serves the whole batch. */
export interface MatMulShape {
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** a is [batch?, k, m]. */
  readonly transposeA: boolean;
  /** b is [batch?, n, k]. */
  readonly transposeB: boolean;
  readonly batchA: boolean;
  readonly batchB: boolean;
}

/** Rows of a block: A's slice (96 rows × 256 k, 98 KB) stays in the second-level cache. */
const BLOCK_ROWS = 96;
/** Up to this many rows make one block, and B needs no packing step. */
const SINGLE_BLOCK_ROWS = 144;
/** k of a slice: 16 columns × 256 k × 4 bytes = 16 KB, half of the first-level cache. */
const BLOCK_DEPTH = 256;
/** k of a transposed A that are copied to scratch at a time: 96 rows × 1,024 k × 4 bytes = 393 KB. */
const CHUNK_DEPTH = 1024;
/** Columns of a piece, at most: its C (96 × 768 floats, 295 KB) stays in the second-level cache from slice to slice. */
const PIECE_COLUMNS = 768;
/** Pieces of a launch, at least, where the work allows: enough for 8 threads to end together. */
const PIECES = 32;

/**
 * output[batch, m, n] = a · b. Inputs: a [batch?, m, k] (or [batch?, k, m]), b [batch?, k, n] (or [batch?, n, k]);
 * all f32.
 */
export function matMul(shape: MatMulShape, features: Features): Recipe {
  // One matrix b for all of the batch, and rows that follow each other: a single product with more rows.
  if (shape.batch > 1 && shape.batchA && !shape.batchB && !shape.transposeA) {
    return matMul({ ...shape, batch: 1, m: shape.batch * shape.m, batchA: false }, features);
  }
  const plan = planMatMul(shape, features);
  const kernel = matMulKernel(plan);
  if (plan.inline) return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
  const { source, width } = plan;
  // Panels hold k in its natural order, whatever the parts in which the product takes it.
  const phases = phasesOfRuns([], { length: shape.k, aStep: 0, bStep: source.kStride }, BLOCK_DEPTH);
  const count = shape.batchB ? shape.batch : 1;
  const bytes = packedBytes(phases, shape.n, width);
  const job = { phases, source, count, stride: shape.k * shape.n * 4, offset: 0 };
  const key = `${shape.k}x${shape.n} ${shape.transposeB} ${count} ${width}`;
  return {
    temps: [count * bytes],
    steps: [
      { kernel: packKernel(`matmul ${shape.k}x${shape.n}`, `matmul ${key}`, [job], width), args: [input(1), temp(0)] },
      { kernel, args: [input(0), temp(0), output(0)] },
    ],
  };
}

/**
 * How many k each of the sums has that are added to one element of the result, in order: all of it depends on k alone.
 * Whoever computes a product in another way gets the same bits by adding up in the same parts.
 */
export function productParts(k: number, transposeA: boolean): number[] {
  if (transposeA && k > CHUNK_DEPTH) {
    return [...productParts(CHUNK_DEPTH, false), ...productParts(k - CHUNK_DEPTH, transposeA)];
  }
  return phasesOfRuns([], { length: k, aStep: 0, bStep: 0 }, BLOCK_DEPTH).flatMap((phase) => {
    const steps = stepsOf(phase);
    return Array.from(
      { length: Math.ceil(steps / phase.blockSteps) },
      (_, i) => phase.unroll * Math.min(phase.blockSteps, steps - i * phase.blockSteps),
    );
  });
}

interface Plan {
  readonly shape: MatMulShape;
  readonly width: number;
  /** B is packed by the pieces themselves. */
  readonly inline: boolean;
  readonly source: PackSource;
  readonly blockRows: number;
  readonly rowBlocks: number;
  readonly panels: number;
  readonly columnGroups: number;
  /** Rounds of CHUNK_DEPTH k (transposed A only), and the rest of k. */
  readonly chunks: number;
  readonly chunk: GemmSpec;
  readonly rest: GemmSpec | undefined;
  readonly restDepth: number;
}

function planMatMul(shape: MatMulShape, features: Features): Plan {
  const { batch, m, k, n, transposeA, transposeB } = shape;
  const width = tileColumns(features, n);
  const panels = Math.ceil(n / width);
  const wanted = m <= SINGLE_BLOCK_ROWS ? 1 : Math.ceil(m / BLOCK_ROWS);
  const blockRows = wanted === 1 ? m : Math.ceil(m / wanted / TILE_ROWS) * TILE_ROWS;
  const rowBlocks = Math.ceil(m / blockRows);
  const columnGroups = Math.min(
    panels,
    Math.max(Math.ceil(n / PIECE_COLUMNS), Math.ceil(PIECES / (rowBlocks * batch))),
  );
  const source: PackSource = transposeB
    ? { kStride: 4, nStride: k * 4, columns: n }
    : { kStride: n * 4, nStride: 4, columns: n };
  const inline = rowBlocks === 1 && (shape.batchB || batch === 1);
  // A transposed A is copied chunk by chunk into scratch as [k of the chunk][rows of the block].
  const aStep = transposeA ? blockRows * 4 : 4;
  const chunks = transposeA ? Math.floor(k / CHUNK_DEPTH) : 0;
  const restDepth = k - chunks * CHUNK_DEPTH;
  const spec = (depth: number): GemmSpec => ({
    phases: phasesOfRuns([], { length: depth, aStep, bStep: source.kStride }, BLOCK_DEPTH),
    width,
    relaxed: features.relaxed,
    rowCounts: [blockRows, m - (rowBlocks - 1) * blockRows],
    panelDepth: k,
    ...(inline ? { pack: source } : {}),
  });
  const chunk = spec(CHUNK_DEPTH);
  const rest = restDepth > 0 ? spec(restDepth) : undefined;
  return { shape, width, inline, source, blockRows, rowBlocks, panels, columnGroups, chunks, chunk, rest, restDepth };
}

function matMulKernel(plan: Plan): Kernel {
  const { shape, width, blockRows, rowBlocks, columnGroups, panels } = plan;
  const { batch, m, k, n } = shape;
  const specs = [plan.chunks > 0 ? plan.chunk : undefined, plan.rest].filter((spec) => spec !== undefined);
  const padded = panels * width;
  const layout = new Layout();
  const places = {
    tables: specs.map((spec) => layout.add(stepTableBytes(spec.phases))),
    rows: layout.add(blockRows * ROW_ENTRY),
    slab: layout.add(shape.transposeA ? Math.min(k, CHUNK_DEPTH) * blockRows * 4 : 0),
    slice: layout.add(Math.max(...specs.map(sliceBytes))),
    result: layout.add(n === padded ? 0 : blockRows * padded * 4),
  };
  const side = (transposed: boolean, batched: boolean) => (transposed ? 't' : '') + (batched ? 'b' : '');
  const sides = `${side(shape.transposeA, shape.batchA)},${side(shape.transposeB, shape.batchB)}`;
  const matrices = (shape.batchA ? batch : 1) * m * k + (shape.batchB ? batch : 1) * k * n + batch * m * n;
  return {
    name: `matmul ${batch}x[${m}x${k}x${n}]`,
    key: `matmul ${batch} ${m} ${k} ${n} ${sides} ${width} ${plan.chunk.relaxed}`,
    buffers: 3,
    pieces: batch * rowBlocks * columnGroups,
    scratch: layout.bytes,
    flops: 2 * batch * m * k * n,
    bytes: 4 * matrices,
    emit: (module) => emitMatMul(module, plan, specs, places),
  };
}

interface Places {
  readonly tables: readonly number[];
  readonly rows: number;
  readonly slab: number;
  readonly slice: number;
  readonly result: number;
}

function emitMatMul(module: ModuleBuilder, plan: Plan, specs: readonly GemmSpec[], places: Places): void {
  const { shape, width, blockRows, rowBlocks, columnGroups, panels, inline, source } = plan;
  const { m, k, n, transposeA } = shape;
  const padded = panels * width;
  const tiles = new Tiles(module);
  const gemms = specs.map((spec) => emitGemm(module, tiles, spec));
  const { copyRows } = emitCopies(module);
  const bytesOfB = (inline ? k * n : k * padded) * 4;
  module.func('k', ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [piece, scratch, a, b, out] = f.params;
    const [item, block, group, row, rows, firstPanel, endPanel, first, chunk, at, i] = f.locals('i32', 11);
    const [tableAt, slabAt, sliceAt, resultAt] = f.locals('i32', 4);
    const stepsAt = f.locals('i32', specs.length);
    f.set(group, i32.rem_u(piece, i32.const(columnGroups)));
    f.set(block, i32.rem_u(i32.div_u(piece, i32.const(columnGroups)), i32.const(rowBlocks)));
    f.set(item, i32.div_u(piece, i32.const(columnGroups * rowBlocks)));
    f.set(row, i32.mul(block, i32.const(blockRows)));
    f.set(rows, smaller(i32.sub(i32.const(m), row), i32.const(blockRows)));
    f.set(firstPanel, i32.div_u(i32.mul(group, i32.const(panels)), i32.const(columnGroups)));
    f.set(endPanel, i32.div_u(i32.mul(i32.add(group, i32.const(1)), i32.const(panels)), i32.const(columnGroups)));
    if (shape.batchA) f.inc(a, i32.mul(item, i32.const(m * k * 4)));
    if (shape.batchB) f.inc(b, i32.mul(item, i32.const(bytesOfB)));
    f.inc(a, i32.mul(row, i32.const(transposeA ? 4 : k * 4)));
    f.inc(out, i32.mul(i32.add(i32.mul(item, i32.const(m)), row), i32.const(n * 4)));

    f.set(tableAt, i32.add(scratch, i32.const(places.rows)));
    f.set(slabAt, i32.add(scratch, i32.const(places.slab)));
    f.set(sliceAt, i32.add(scratch, i32.const(places.slice)));
    f.set(resultAt, n === padded ? out : i32.add(scratch, i32.const(places.result)));
    f.set(at, tableAt);
    f.for(i, 0, rows, 1, () => {
      const stride = transposeA ? 4 : k * 4;
      f.push(i32.store(at, i32.add(transposeA ? slabAt : a, i32.mul(i, i32.const(stride)))));
      f.push(i32.store(at, i32.add(resultAt, i32.mul(i, i32.const(padded * 4))), 4));
      f.inc(at, ROW_ENTRY);
    });
    specs.forEach((spec, s) => {
      f.set(stepsAt[s], i32.add(scratch, i32.const(places.tables[s])));
      emitStepTables(f, spec.phases, stepsAt[s]);
    });

    const part = (s: number, depth: number) => {
      if (transposeA)
        f.push(call(copyRows, slabAt, a, i32.const(depth), rows, i32.const(blockRows * 4), i32.const(m * 4)));
      const counts = specs[s].phases.map((phase) => i32.const(stepsOf(phase)));
      f.push(call(gemms[s], tableAt, rows, stepsAt[s], b, firstPanel, endPanel, first, sliceAt, ...counts));
      f.inc(a, depth * m * 4);
      f.inc(b, depth * (inline ? source.kStride : width * 4));
      f.set(first, i32.const(0));
    };
    f.set(first, i32.const(1));
    if (plan.chunks > 0) f.for(chunk, 0, plan.chunks, 1, () => part(0, CHUNK_DEPTH));
    if (plan.rest) part(specs.length - 1, plan.restDepth);

    if (n !== padded) {
      const from = i32.mul(firstPanel, i32.const(width * 4));
      const floats = i32.sub(
        smaller(i32.mul(endPanel, i32.const(width)), i32.const(n)),
        i32.mul(firstPanel, i32.const(width)),
      );
      f.push(
        call(
          copyRows,
          i32.add(out, from),
          i32.add(resultAt, from),
          rows,
          floats,
          i32.const(n * 4),
          i32.const(padded * 4),
        ),
      );
    }
  });
}
