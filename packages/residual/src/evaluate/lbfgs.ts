/** L-BFGS: the minimum of a smooth function of many variables (J. Nocedal and S. Wright, Numerical Optimization, 7.2).
 *  For the linear probe, whose cost is convex. */

export interface MinimizeOptions {
  readonly iterations: number;
  /** Ends where no component of the gradient is larger. */
  readonly tolerance: number;
}

/** Pairs of steps and changes of the gradient that are remembered. */
const MEMORY = 10;

/**
 * @param cost gives the value at `x` and writes the gradient there
 * @param start is not changed
 * @returns the best point found
 */
export function minimize(
  cost: (x: Float64Array, gradient: Float64Array) => number,
  start: Float64Array,
  { iterations, tolerance }: MinimizeOptions,
): Float64Array {
  let x = Float64Array.from(start);
  let gradient = new Float64Array(x.length);
  let value = cost(x, gradient);
  const pairs: { readonly step: Float64Array; readonly change: Float64Array; readonly product: number }[] = [];
  for (let i = 0; i < iterations; i++) {
    if (gradient.every((one) => Math.abs(one) <= tolerance)) break;
    const direction = towards(gradient, pairs);
    const slope = dot(direction, gradient);
    // Armijo's rule with halving; the first step has no curvature to go by yet.
    let length = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1;
    let next:
      | { readonly x: Float64Array<ArrayBuffer>; readonly gradient: Float64Array<ArrayBuffer>; readonly value: number }
      | undefined;
    for (let halvings = 0; halvings < 40; halvings++, length /= 2) {
      const tried = x.map((one, k) => one + length * (direction[k] as number));
      const there = new Float64Array(x.length);
      const found = cost(tried, there);
      if (found <= value + 1e-4 * length * slope) {
        next = { x: tried, gradient: there, value: found };
        break;
      }
    }
    if (next === undefined) break; // rounding hides any further descent
    const before = { x, gradient };
    ({ x, gradient, value } = next);
    const step = x.map((one, k) => one - (before.x[k] as number));
    const change = gradient.map((one, k) => one - (before.gradient[k] as number));
    const product = dot(step, change);
    if (product > 1e-12 * dot(change, change)) pairs.push({ step, change, product });
    if (pairs.length > MEMORY) pairs.shift();
  }
  return x;
}

/** The two loops: minus the inverse curvature times the gradient. */
function towards(
  gradient: Float64Array,
  pairs: readonly { readonly step: Float64Array; readonly change: Float64Array; readonly product: number }[],
): Float64Array {
  const q = gradient.map((one) => -one);
  const shares = pairs.map(() => 0);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { step, change, product } = pairs[i] as (typeof pairs)[number];
    const share = dot(step, q) / product;
    shares[i] = share;
    add(q, change, -share);
  }
  const last = pairs.at(-1);
  const scale = last === undefined ? 1 : last.product / dot(last.change, last.change);
  for (let k = 0; k < q.length; k++) q[k] = (q[k] as number) * scale;
  pairs.forEach(({ step, change, product }, i) => {
    add(q, step, (shares[i] as number) - dot(change, q) / product);
  });
  return q;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function add(to: Float64Array, from: Float64Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + factor * (from[i] as number);
}
