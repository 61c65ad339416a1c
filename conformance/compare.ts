/**
 * Judges a backend's results against stock cpu's: what passes there must pass here, or be listed with a reason.
 * Pure functions of plain results, so that the judge itself can be tested.
 */
import type { SpecResult } from './run.ts';

/** A spec that the backend is allowed not to pass. */
export interface Exception {
  /** The spec's full name without the backend's name. */
  readonly spec: string;
  readonly reason: string;
}

export interface Verdict {
  /** Specs that pass on cpu and do not here, and are not listed. */
  readonly broken: readonly { readonly name: string; readonly messages: readonly string[] }[];
  /** Specs that do not pass here and are listed. */
  readonly excused: readonly Exception[];
  /** Listed specs that pass after all or do not exist: the list must stay true. */
  readonly stale: readonly Exception[];
}

/** `abs jit {} gradients` → `abs gradients`; the suite puts the backend's name and its flags into every name. */
export function neutralName(name: string, backend: string): string {
  return name.replaceAll(` ${backend} {}`, '');
}

/** How many passed, failed and were skipped. */
export function tally(results: readonly SpecResult[]): Record<SpecResult['status'], number> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { status } of results) counts[status]++;
  return counts;
}

/**
 * Compares results by neutral name. Names repeat in the suite: such specs are told apart by their order, as `name #2`.
 * `partial` says that a filter left specs out, so that an exception without a spec is not stale.
 */
export function judge(
  cpu: readonly SpecResult[],
  ours: readonly SpecResult[],
  backend: string,
  exceptions: readonly Exception[],
  partial = false,
): Verdict {
  const byName = named(ours, backend);
  const baseline = named(cpu, 'cpu');
  const reasons = new Map(exceptions.map((exception) => [exception.spec, exception]));
  const broken: { name: string; messages: readonly string[] }[] = [];
  const excused: Exception[] = [];
  for (const [name, { status }] of baseline) {
    if (status !== 'passed') continue;
    const own = byName.get(name);
    if (own?.status === 'passed') continue;
    const exception = reasons.get(name);
    if (exception !== undefined) excused.push(exception);
    else broken.push({ name, messages: own?.messages ?? [`not run on ${backend}`] });
  }
  const stale = exceptions.filter((exception) => {
    if (excused.includes(exception)) return false;
    return !partial || byName.get(exception.spec)?.status === 'passed';
  });
  return { broken, excused, stale };
}

function named(results: readonly SpecResult[], backend: string): Map<string, SpecResult> {
  const map = new Map<string, SpecResult>();
  for (const result of results) {
    const name = neutralName(result.name, backend);
    let unique = name;
    for (let n = 2; map.has(unique); n++) unique = `${name} #${n}`;
    map.set(unique, result);
  }
  return map;
}
