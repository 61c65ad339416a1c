/**
 * `npm run bench -- train --layers`: where the time of a step goes, kernel by kernel, beside what the machine could do.
 * Needs no peer: the bounds are measured in the same run, by the register tile that the kernels themselves are made of.
 */
import { spawnSync } from 'node:child_process';
import { f32x4, i32, ModuleBuilder, v128 } from '../packages/tfjs-backend-jit/src/wasm/assembler.ts';
import { probeFeatures } from '../packages/tfjs-backend-jit/src/wasm/features.ts';
import { ours } from './peers.ts';
import { describeWork, median, type Work } from './work.ts';

/** One kernel of a program, all its launches together. */
export interface KernelTime {
  readonly name: string;
  readonly count: number;
  readonly milliseconds: number;
  readonly gigaflops: number;
  readonly gigabytes: number;
}

const LINE = /^\s*([\d.]+) ms\s+[\d.]+ %\s+(\d+) GFLOP\/s\s+([\d.]+) GB\/s\s+(\d+)× (.*)$/;
const TOTAL = /^\s*[\d.]+ ms in (\d+) launches$/;

/** The kernels in what `JIT_DEBUG=time` prints: medians over the runs of the largest program, its first runs left out. */
export function kernelTimes(text: string): KernelTime[] {
  const runs = text.split(/^── time .*$/m).map((block) => {
    const lines = block.split('\n');
    const launches = Math.max(0, ...lines.map((line) => Number(TOTAL.exec(line)?.[1] ?? 0)));
    return { launches, rows: lines.flatMap((line) => LINE.exec(line) ?? []).length > 0 ? lines : [] };
  });
  const most = Math.max(...runs.map(({ launches }) => launches));
  const whole = runs.filter(({ launches }) => launches === most);
  const warm = whole.slice(Math.min(3, whole.length - 1));
  const found = new Map<string, { count: number; ms: number[]; flops: number; bytes: number }>();
  for (const { rows } of warm) {
    for (const row of rows) {
      const match = LINE.exec(row);
      if (match === null) continue;
      const [, ms, flops, bytes, count, name] = match;
      const entry = found.get(name) ?? { count: Number(count), ms: [], flops: 0, bytes: 0 };
      entry.ms.push(Number(ms));
      // Rates are rounded; the longest run of a kernel tells its work best.
      entry.flops = Math.max(entry.flops, Number(flops) * Number(ms));
      entry.bytes = Math.max(entry.bytes, Number(bytes) * Number(ms));
      found.set(name, entry);
    }
  }
  return [...found]
    .map(([name, { count, ms, flops, bytes }]) => {
      const milliseconds = median(ms);
      return { name, count, milliseconds, gigaflops: flops / milliseconds, gigabytes: bytes / milliseconds };
    })
    .sort((a, b) => b.milliseconds - a.milliseconds);
}

/** GFLOP/s of one thread on the widest register tile, the best of several turns. */
function peakOfThread(): number {
  const { relaxed, wide } = probeFeatures(true, console.warn);
  const [rows, vectors, steps] = [6, wide ? 4 : 2, 8];
  const m = new ModuleBuilder();
  m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [a, b, c, rounds] = f.params;
    const sums = Array.from({ length: rows }, () => f.locals('v128', vectors));
    const right = f.locals('v128', vectors);
    const value = f.local('v128');
    for (const row of sums) for (const sum of row) f.set(sum, v128.const_f32x4(0));
    f.loop((top) => {
      for (let k = 0; k < steps; k++) {
        for (const [j, vector] of right.entries()) f.set(vector, v128.load(b, (k * vectors + j) * 16));
        for (const [i, row] of sums.entries()) {
          f.set(value, v128.load32_splat(a, (i * steps + k) * 4));
          for (const [j, sum] of row.entries()) {
            const next = relaxed
              ? f32x4.relaxed_madd(value, right[j], sum)
              : f32x4.add(f32x4.mul(value, right[j]), sum);
            f.set(sum, next);
          }
        }
      }
      f.set(rounds, i32.sub(rounds, i32.const(1)));
      f.brIf(top, rounds);
    });
    for (const [i, row] of sums.entries()) {
      for (const j of row.keys()) f.push(v128.store(c, row[j ^ 1], (i * vectors + (j ^ 1)) * 16));
    }
  });
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.encode()), { env: { memory } });
  const kernel = instance.exports.k as (a: number, b: number, c: number, rounds: number) => void;
  let best = 0;
  for (let turn = 0; turn < 40; turn++) {
    const rounds = turn < 10 ? 500 : 20_000;
    const start = performance.now();
    kernel(1024, 4096, 16_384, rounds);
    if (turn >= 10) best = Math.max(best, (rounds * steps * rows * vectors * 8) / (performance.now() - start) / 1e6);
  }
  return best;
}

/** Measures and draws the table. */
export function layersTable(work: Work, seconds: number): string {
  const { file, args, env } = ours(work);
  const input = `{"seconds":${seconds}}\n{"seconds":${seconds}}\n`;
  const { stderr, status } = spawnSync(file, args, {
    input,
    env: { ...process.env, ...env, JIT_DEBUG: 'time' },
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(`the measuring process failed: ${stderr.trim().split('\n').at(-1)}`);
  const peak = peakOfThread() * work.threads;
  const times = kernelTimes(stderr);
  const total = times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const rows = times
    .filter(({ milliseconds }) => milliseconds > 0.002 * total)
    .map(({ name, count, milliseconds, gigaflops, gigabytes }) =>
      [
        `${milliseconds.toFixed(milliseconds < 10 ? 2 : 1)} ms`.padStart(10),
        `${((100 * milliseconds) / total).toFixed(1)} %`.padStart(7),
        `${gigaflops.toFixed(0)} GFLOP/s`.padStart(12),
        `${((100 * gigaflops) / peak).toFixed(0)} %`.padStart(6),
        `${gigabytes.toFixed(1)} GB/s`.padStart(11),
        `  ${count}× ${name}`,
      ].join(''),
    );
  return [
    `${describeWork(work)}, ${work.threads} threads: ${total.toFixed(1)} ms a run, medians`,
    `peak of the register tile: ${peak.toFixed(0)} GFLOP/s (${(peak / work.threads).toFixed(0)} a thread); a Winograd kernel counts the products that it makes`,
    '',
    '      time  share    computing  of peak    moving  kernel',
    ...rows,
  ].join('\n');
}
