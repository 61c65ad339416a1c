/**
 * Zeros around an image before a convolution (torch's padding is a ZeroPadding2D layer) become the convolution's own
 * padding: forward, in the filter's gradient, and in the input's, whose crop then disappears too.
 */
import type { Graph, Value } from '../graph/graph.ts';
import { denseStrides, sameShape } from '../graph/shape.ts';
import type { Conv2DShape } from '../kernels/conv-shape.ts';
import { rewrite } from './rewrite.ts';

export function foldPadding(graph: Graph): Graph {
  return rewrite(graph, (g, value) => unpadInput(g, value) ?? cropGradient(g, value));
}

/** Conv2D(pad(x), filter) and Conv2DBackpropFilter(pad(x), dy). */
function unpadInput(g: Graph, value: Value): Value | null {
  if (value.op.kind !== 'result' || value.op.of.op.kind !== 'recipe') return null;
  const recipe = value.op.of.op;
  if (recipe.detail?.kind !== 'window' || (recipe.name !== 'Conv2D' && recipe.name !== 'Conv2DBackpropFilter'))
    return null;
  const { shape, build } = recipe.detail;
  const [padded, other] = recipe.inputs;
  const source = padded.op.kind === 'result' ? padded.op.of.op : undefined;
  if (source?.kind !== 'recipe' || source.detail?.kind !== 'pad' || source.detail.value !== 0) return null;
  const [x] = source.inputs;
  const [batch, rows, columns, channels] = source.detail.paddings;
  if (x.shape.length !== 4 || [...batch, ...channels].some((p) => p !== 0)) return null;
  const unpadded: Conv2DShape = {
    ...shape,
    inHeight: x.shape[1],
    inWidth: x.shape[2],
    padTop: shape.padTop + rows[0],
    padLeft: shape.padLeft + columns[0],
  };
  return g.windowed(recipe.name, unpadded, [x, other], value.shape, build);
}

/** The crop [top : top + height, left : left + width] of Conv2DBackpropInput(dy, filter). */
function cropGradient(g: Graph, value: Value): Value | null {
  const { op } = value;
  if (op.kind !== 'view' || op.of.op.kind !== 'result' || op.of.op.of.op.kind !== 'recipe') return null;
  const recipe = op.of.op.of.op;
  if (recipe.name !== 'Conv2DBackpropInput' || recipe.detail?.kind !== 'window') return null;
  const { shape, build } = recipe.detail;
  const [batch, height, width, channels] = value.shape;
  if (value.shape.length !== 4 || batch !== shape.batch || channels !== shape.inChannels) return null;
  const strides = denseStrides(op.of.shape);
  const kept = value.shape.map((d, axis) => (d === 1 ? 0 : strides[axis]));
  if (!sameShape(op.of.shape, [shape.batch, shape.inHeight, shape.inWidth, shape.inChannels])) return null;
  if (!sameShape(op.strides, kept)) return null;
  const top = Math.floor(op.offset / strides[1]);
  const left = (op.offset - top * strides[1]) / strides[2];
  if (!Number.isInteger(left) || top + height > shape.inHeight || left + width > shape.inWidth) return null;
  const cropped: Conv2DShape = {
    ...shape,
    inHeight: height,
    inWidth: width,
    padTop: shape.padTop + top,
    padLeft: shape.padLeft + left,
  };
  return g.windowed(recipe.name, cropped, recipe.inputs, value.shape, build);
}
