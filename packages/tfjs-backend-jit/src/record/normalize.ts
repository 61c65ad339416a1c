/**
 * Batch normalisation as single operations: TF's FusedBatchNormV3 and its gradient for training, and tfjs's
 * FusedBatchNorm for inference. They are lowered to reductions and element-wise maps, which fuse with their neighbours.
 */
import type { Graph, Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/shape.ts';
import { floats, isFloat, type Rules, rule } from './rule.ts';

/** [..., C] as [rows, C]. */
function asRows(g: Graph, x: Value): Value {
  const channels = x.shape[x.shape.length - 1];
  return g.reshape(x, [sizeOf(x.shape) / channels, channels]);
}

const OVER_ROWS = [true, false];

function sumRows(g: Graph, x: Value): Value {
  return g.reduce('sum', x, OVER_ROWS);
}

/** The mean and the biased variance of each column, in one pass over the data. */
function moments(g: Graph, x: Value): { readonly mean: Value; readonly variance: Value } {
  const [rows, channels] = x.shape;
  // Sums are taken around the first row: it lies within a few deviations of the mean, so nothing cancels.
  const shift = g.slice(x, [0, 0], [1, channels]);
  const centred = g.apply('sub', x, g.broadcast(shift, x.shape));
  const scale = g.constant(Math.fround(1 / rows), [channels]);
  const offset = g.apply('mul', sumRows(g, centred), scale);
  const square = g.apply('mul', sumRows(g, g.apply('square', centred)), scale);
  const mean = g.apply('add', g.reshape(shift, [channels]), offset);
  const variance = g.apply('relu', g.apply('sub', square, g.apply('square', offset)));
  return { mean, variance };
}

function reciprocalDeviation(g: Graph, variance: Value, epsilon: number): Value {
  return g.apply('rsqrt', g.apply('add', variance, g.constant(Math.fround(epsilon), variance.shape)));
}

export const normalize: Rules = {
  /** x, scale, offset → y, batch mean, biased batch variance. */
  FusedBatchNormV3: rule<{ epsilon: number }>({
    list: true,
    infer({ x, scale, offset }) {
      if (!isFloat(x, scale, offset)) return null;
      const channels = x.shape.slice(-1);
      return [floats(x.shape), floats(channels), floats(channels)];
    },
    lower(g, { x, scale, offset }, { epsilon }) {
      const rows = asRows(g, x);
      const { mean, variance } = moments(g, rows);
      const a = g.apply('mul', scale, reciprocalDeviation(g, variance, epsilon));
      const wide = (v: Value) => g.broadcast(v, rows.shape);
      const y = g.apply('madd', g.apply('sub', rows, wide(mean)), wide(a), wide(offset));
      return [g.reshape(y, x.shape), mean, variance];
    },
  }),
  /** dy, x, scale, batch mean, batch variance → dx, dscale, doffset. */
  FusedBatchNormGradV3: rule<{ epsilon: number }>({
    list: true,
    infer({ dy, x, scale, mean, variance }) {
      if (!isFloat(dy, x, scale, mean, variance)) return null;
      return [floats(x.shape), floats(scale.shape), floats(scale.shape)];
    },
    lower(g, { dy, x, scale, mean, variance }, { epsilon }) {
      const rows = asRows(g, x);
      const grad = asRows(g, dy);
      const [count] = rows.shape;
      const wide = (v: Value) => g.broadcast(v, rows.shape);
      const mul = (p: Value, q: Value) => g.apply('mul', p, q);
      const centred = g.apply('sub', rows, wide(mean));
      const doffset = sumRows(g, grad);
      const dot = sumRows(g, mul(grad, centred));
      const r = reciprocalDeviation(g, variance, epsilon);
      const dscale = mul(dot, r);
      // dx = a·(dy − mean(dy) − centred·r²·mean(dy·centred)) = a·dy + centred·p + q
      const a = mul(scale, r);
      const perRow = g.constant(Math.fround(-1 / count), a.shape);
      const p = mul(mul(mul(a, dscale), r), perRow);
      const q = mul(mul(a, doffset), perRow);
      const dx = g.apply('madd', grad, wide(a), g.apply('madd', centred, wide(p), wide(q)));
      return [g.reshape(dx, x.shape), dscale, doffset];
    },
  }),
  FusedBatchNorm: rule<{ varianceEpsilon: number }>({
    infer(inputs) {
      const { x, mean, variance, scale, offset } = inputs;
      const channels = x.shape.at(-1);
      const vectors = [mean, variance, scale, offset].filter((v) => v !== undefined && v !== null);
      const simple = x.shape.length > 0 && vectors.every((v) => v.shape.length === 1 && v.shape[0] === channels);
      return simple && isFloat(...Object.values(inputs)) ? [floats(x.shape)] : null;
    },
    lower(g, { x, mean, variance, scale, offset }, { varianceEpsilon }) {
      const r = reciprocalDeviation(g, variance, varianceEpsilon ?? 0.001);
      const a = scale === undefined ? r : g.apply('mul', scale, r);
      const wide = (v: Value) => g.broadcast(v, x.shape);
      const centred = g.apply('sub', x, wide(mean));
      if (offset === undefined) return [g.apply('mul', centred, wide(a))];
      return [g.apply('madd', centred, wide(a), wide(offset))];
    },
  }),
};
