/** The launches of a program as text, with what each moves and computes, and the totals. */
import type { Plan } from '../memory/plan.ts';

const MB = 1 / (1024 * 1024);
/** Element-wise work on less than this is not counted as a pass over an activation. */
const PASS_BYTES = 2 ** 20;

export function printPlan(plan: Plan): string {
  const lines = plan.launches.map(({ kernel, pointers }, i) => {
    const places = pointers.map((p) => (p.kind === 'external' ? `#${p.slot}` : `@${(p.offset * MB).toFixed(2)}`));
    return `${String(i).padStart(4)}  ${kernel.name}  ×${kernel.pieces}  ${places.join(' ')}`;
  });
  const flops = plan.launches.reduce((sum, { kernel }) => sum + kernel.flops, 0);
  const bytes = plan.launches.reduce((sum, { kernel }) => sum + kernel.bytes, 0);
  const waits = plan.launches.filter(({ overlaps }) => !overlaps).length;
  const passes = plan.launches.filter(
    ({ kernel }) => /^(loop|pad|copy|transpose)/.test(kernel.name) && kernel.bytes >= PASS_BYTES,
  );
  lines.push(
    `${plan.launches.length} launches, ${waits} barriers, ${passes.length} passes over ${PASS_BYTES * MB} MB or more, ${(flops / 1e9).toFixed(2)} GFLOP, ${(bytes * MB).toFixed(0)} MB moved, ` +
      `arena ${(plan.arenaBytes * MB).toFixed(1)} MB, scratch ${(plan.scratchBytes * MB).toFixed(2)} MB a thread`,
  );
  return lines.join('\n');
}

/** Time of each launch in milliseconds beside its rates, slowest first, and sums by kind of kernel. */
export function printTimes(plan: Plan, starts: Float64Array): string {
  const rows = plan.launches.map(({ kernel }, i) => ({ kernel, ms: starts[i + 1] - starts[i] }));
  const total = rows.reduce((sum, { ms }) => sum + ms, 0);
  const byName = new Map<string, { ms: number; flops: number; bytes: number; count: number }>();
  for (const { kernel, ms } of rows) {
    const row = byName.get(kernel.name) ?? { ms: 0, flops: 0, bytes: 0, count: 0 };
    row.ms += ms;
    row.flops += kernel.flops;
    row.bytes += kernel.bytes;
    row.count++;
    byName.set(kernel.name, row);
  }
  const lines = [...byName]
    .sort((a, b) => b[1].ms - a[1].ms)
    .slice(0, 60)
    .map(([name, { ms, flops, bytes, count }]) => {
      const share = `${((100 * ms) / total).toFixed(1)} %`;
      const rates = `${(flops / ms / 1e6).toFixed(0).padStart(4)} GFLOP/s ${(bytes / ms / 1e6).toFixed(1).padStart(6)} GB/s`;
      return `${ms.toFixed(2).padStart(9)} ms ${share.padStart(7)} ${rates}  ${count}× ${name}`;
    });
  return [...lines, `${total.toFixed(2).padStart(9)} ms in ${rows.length} launches`].join('\n');
}
