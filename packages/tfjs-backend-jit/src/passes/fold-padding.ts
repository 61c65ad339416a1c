/**
 * Zeros around an image before a convolution (torch's padding is a ZeroPadding2D layer) become the convolution's own
 * padding: forward, in the filter's gradient, and in the input's, whose crop then disappears too. The same for a
 * max-pool of what a ReLU made: no value is below the zeros.
 */
import { type Graph, type RecipeOp, storageOf, type Value } from '../graph/graph.ts';
import { denseStrides, sameShape } from '../graph/shape.ts';
import type { Conv2DShape } from '../kernels/conv-shape.ts';
import { rewrite } from './rewrite.ts';

export function foldPadding(graph: Graph): Graph {
  return rewrite(graph, (g, value) => unpadInput(g, value) ?? unpadPool(g, value) ?? cropGradient(g, value));
}

/** The recipe that makes `value` as its only result, if it is one of those named. */
function recipeOf({ op }: Value, ...names: readonly string[]): RecipeOp | null {
  if (op.kind !== 'result' || op.of.op.kind !== 'recipe') return null;
  return names.includes(op.of.op.name) ? op.of.op : null;
}

/** The image inside zeros that `value` is, and the window's shape with these zeros as its padding. */
function unpadded(value: Value, shape: Conv2DShape): { readonly x: Value; readonly shape: Conv2DShape } | null {
  const source = value.op.kind === 'result' ? value.op.of.op : undefined;
  if (source?.kind !== 'recipe' || source.detail?.kind !== 'pad' || source.detail.value !== 0) return null;
  const [x] = source.inputs;
  const [batch, rows, columns, channels] = source.detail.paddings;
  if (x.shape.length !== 4 || [...batch, ...channels].some((p) => p !== 0)) return null;
  const [padTop, padLeft] = [shape.padTop + rows[0], shape.padLeft + columns[0]];
  return { x, shape: { ...shape, inHeight: x.shape[1], inWidth: x.shape[2], padTop, padLeft } };
}

/** Conv2D(pad(x), filter) and Conv2DBackpropFilter(pad(x), dy). */
function unpadInput(g: Graph, value: Value): Value | null {
  const recipe = recipeOf(value, 'Conv2D', 'Conv2DBackpropFilter');
  if (recipe?.detail?.kind !== 'window') return null;
  const [padded, other] = recipe.inputs;
  const found = unpadded(padded, recipe.detail.shape);
  return found && g.windowed(recipe.name, found.shape, [found.x, other], value.shape, recipe.detail.build);
}

/** MaxPool(pad(relu(x))), where every window holds a pixel of the image. */
function unpadPool(g: Graph, value: Value): Value | null {
  const recipe = recipeOf(value, 'MaxPool');
  if (recipe?.detail?.kind !== 'window') return null;
  const found = unpadded(recipe.inputs[0], recipe.detail.shape);
  if (found === null || !isRelu(found.x) || !eachWindowInside(found.shape)) return null;
  return g.windowed('MaxPool', found.shape, [found.x], value.shape, recipe.detail.build);
}

function isRelu(value: Value): boolean {
  const { op } = storageOf(value);
  return op.kind === 'apply' && op.fn === 'relu';
}

/** Along both axes, the first and the last window reach into the image. */
function eachWindowInside(s: Conv2DShape): boolean {
  const inside = (pad: number, taps: number, dilation: number, out: number, stride: number, size: number) =>
    dilation === 1 && pad < taps && (out - 1) * stride - pad < size;
  return (
    inside(s.padTop, s.filterHeight, s.dilationHeight, s.outHeight, s.strideHeight, s.inHeight) &&
    inside(s.padLeft, s.filterWidth, s.dilationWidth, s.outWidth, s.strideWidth, s.inWidth)
  );
}

/**
 * The crop [top : top + height, left : left + width] of Conv2DBackpropInput(dy, filter), or of MaxPoolGrad(dy, pad(x), y)
 * where that crop is x's place: the gradient of a maximum that is 0 goes to a pixel, whose ReLU stops it, not to padding.
 */
function cropGradient(g: Graph, value: Value): Value | null {
  const { op } = value;
  const recipe = op.kind === 'view' ? recipeOf(op.of, 'Conv2DBackpropInput', 'MaxPoolGrad') : null;
  if (op.kind !== 'view' || recipe?.detail?.kind !== 'window') return null;
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
  if (recipe.name !== 'MaxPoolGrad') return g.windowed(recipe.name, cropped, recipe.inputs, value.shape, build);
  const [dy, padded, y] = recipe.inputs;
  const found = unpadded(padded, shape);
  const same = found && Object.entries(cropped).every(([key, n]) => found.shape[key as keyof Conv2DShape] === n);
  if (!same || !isRelu(found.x) || !eachWindowInside(cropped)) return null;
  return g.windowed('MaxPoolGrad', cropped, [dy, found.x, y], value.shape, build);
}
