/** A quantized graph in plain loops over plain integers, one node at a time: what `integer.test.ts` holds the kernels
 *  against. Written from TensorFlow Lite's definitions, with 64-bit products, and sharing no arithmetic with the kernels. */

import type { GraphNode, Padding, Shape } from '../../../export/graph/graph.ts';
import type { AffineParameters, Quantization } from '../../parameters.ts';

/** A value of one image: row-major, channels last. */
export interface Image {
  readonly shape: Shape;
  readonly values: Int8Array;
}

/** real as a 31-bit fraction and a power of two, from the float64's own bits. */
function asFraction(real: number): { readonly multiplier: bigint; readonly shift: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, real);
  const shift = ((bits.getUint16(0) >> 4) & 0x7ff) - 1022;
  const mantissa = (bits.getBigUint64(0) & 0xfffffffffffffn) | 0x10000000000000n; // 53 bits
  const rounded = (mantissa + (1n << 21n)) >> 22n;
  return rounded === 1n << 31n ? { multiplier: 1n << 30n, shift: shift + 1 } : { multiplier: rounded, shift };
}

/** SaturatingRoundingDoublingHighMul and RoundingDivideByPOT, by 64-bit integers that are cut off towards 0. */
function twice(value: number, { multiplier, shift }: ReturnType<typeof asFraction>): number {
  const product = BigInt(value) * (1n << BigInt(Math.max(0, shift))) * multiplier;
  const high = (product + (product >= 0n ? 1n << 30n : 1n - (1n << 30n))) / (1n << 31n);
  if (shift >= 0) return Number(high);
  const divisor = 1n << BigInt(-shift);
  const sign = high < 0n ? -1n : 1n;
  return Number((sign * (sign * high * 2n + divisor)) / (2n * divisor));
}

/** The product rounded to the nearest once, halves up. */
function once(value: number, { multiplier, shift }: ReturnType<typeof asFraction>): number {
  const bits = BigInt(31 - shift);
  return Number((BigInt(value) * multiplier + (1n << (bits - 1n))) >> bits);
}

const clip = (value: number, low = -128, high = 127) => Math.min(Math.max(value, low), high);
const size = (shape: Shape) => shape.reduce((a, b) => a * b, 1);

function activated(value: number, node: GraphNode, { scale, zeroPoint }: AffineParameters): number {
  const kind = node.op === 'relu' || node.op === 'relu6' ? node.op : 'activation' in node ? node.activation : 'none';
  const low = kind === 'none' ? -128 : zeroPoint;
  const high = kind === 'relu6' ? Math.floor(6 / scale + 0.5) + zeroPoint : 127;
  return clip(clip(value + zeroPoint, low, high));
}

/** One node; undefined for functions that are no sums: softmax and sigmoid. */
export function computeNode(node: GraphNode, inputs: readonly Image[], q: Quantization): Int8Array | undefined {
  const [x] = inputs;
  const parameters = [...node.inputs, node.output].map((name) => q.values[name]);
  const [input, second = input] = parameters;
  const output = parameters.at(-1) as AffineParameters;
  const out = new Int8Array(size(node.shape));
  const channels = node.shape.at(-1) ?? 1;
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d': {
      const [rows, columns, deep, last] = node.filter.shape;
      const { values: w, scales } = q.weights[node.name];
      const bias = q.biases[node.name];
      const factors = [...bias].map((_, o) =>
        asFraction((input.scale * scales[scales.length === 1 ? 0 : o]) / output.scale),
      );
      forEachWindow(node, [rows, columns], node.dilation, x.shape, node.shape, (pixel, taps) => {
        for (let o = 0; o < channels; o++) {
          let sum = bias[o];
          for (const [tap, from] of taps) {
            if (node.op === 'conv2d') {
              for (let i = 0; i < deep; i++) {
                sum += (x.values[from * deep + i] - input.zeroPoint) * w[(tap * deep + i) * last + o];
              }
            } else {
              sum += (x.values[from * deep + Math.floor(o / last)] - input.zeroPoint) * w[tap * channels + o];
            }
          }
          out[pixel * channels + o] = activated(twice(sum, factors[o]), node, output);
        }
      });
      return out;
    }
    case 'dense': {
      const { values: w, scales } = q.weights[node.name];
      return out.map((_, o) => {
        let sum = q.biases[node.name][o];
        x.values.forEach((value, i) => {
          sum += (value - input.zeroPoint) * w[i * channels + o];
        });
        const product = scales.length === 1 ? Math.fround(input.scale * scales[0]) : input.scale * scales[o];
        return activated(once(sum, asFraction(product / output.scale)), node, output);
      });
    }
    case 'affine': {
      const { values: w, scales } = q.weights[node.name];
      return out.map((_, i) => {
        const c = i % w.length;
        const sum = q.biases[node.name][c] + (x.values[i] - input.zeroPoint) * w[c];
        const scale = scales[scales.length === 1 ? 0 : c];
        return activated(twice(sum, asFraction((input.scale * scale) / output.scale)), node, output);
      });
    }
    case 'add': {
      const common = 2 * Math.max(input.scale, second.scale);
      const total = asFraction(common / (2 ** 20 * output.scale));
      return out.map((_, i) => {
        const terms = inputs.map(({ values }, t) =>
          twice((values[i] - parameters[t].zeroPoint) * 2 ** 20, asFraction(parameters[t].scale / common)),
        );
        return activated(twice(terms[0] + terms[1], total), node, output);
      });
    }
    case 'mul': {
      const factor = asFraction(Math.fround(Math.fround(input.scale * second.scale) / output.scale));
      return out.map((_, i) => {
        const other = inputs[1].values[i % inputs[1].values.length] - second.zeroPoint;
        return activated(twice((x.values[i] - input.zeroPoint) * other, factor), node, output);
      });
    }
    case 'maxPool':
    case 'averagePool': {
      const counts = node.op === 'averagePool' && node.countPadding;
      forEachWindow(node, node.size, [1, 1], x.shape, node.shape, (pixel, taps) => {
        for (let c = 0; c < channels; c++) {
          const seen = taps.map(([, from]) => x.values[from * channels + c]);
          while (counts && seen.length < size(node.size)) seen.push(input.zeroPoint);
          const sum = seen.reduce((a, b) => a + b, 0);
          const half = Math.floor(seen.length / 2);
          out[pixel * channels + c] =
            node.op === 'maxPool' ? Math.max(...seen) : Math.trunc((sum > 0 ? sum + half : sum - half) / seen.length);
        }
      });
      return out;
    }
    case 'globalAveragePool': {
      const pixels = x.values.length / channels;
      const whole = asFraction(input.scale / output.scale);
      const bits = Math.floor(Math.log2(pixels));
      const factor = { multiplier: (whole.multiplier << BigInt(bits)) / BigInt(pixels), shift: whole.shift - bits };
      return out.map((_, c) => {
        let sum = -input.zeroPoint * pixels;
        for (let p = 0; p < pixels; p++) sum += x.values[p * channels + c];
        return clip(twice(sum, factor) + output.zeroPoint);
      });
    }
    case 'pad': {
      const [height, width] = x.shape;
      const [top, , left] = node.padding;
      return out.map((_, i) => {
        const [pixel, c] = [Math.floor(i / channels), i % channels];
        const [row, column] = [Math.floor(pixel / node.shape[1]) - top, (pixel % node.shape[1]) - left];
        const inside = row >= 0 && row < height && column >= 0 && column < width;
        return inside ? x.values[(row * width + column) * channels + c] : input.zeroPoint;
      });
    }
    case 'relu':
    case 'relu6':
      return out.map((_, i) => {
        const factor = asFraction(Math.fround(input.scale / output.scale));
        return activated(twice(x.values[i] - input.zeroPoint, factor), node, output);
      });
    case 'reshape':
      return x.values;
    case 'concat': {
      const pixels = out.length / channels;
      const rows = Array.from({ length: pixels }, (_, p) =>
        inputs.flatMap(({ shape, values }) => {
          const own = shape.at(-1) ?? 1;
          return [...values.subarray(p * own, (p + 1) * own)];
        }),
      );
      return Int8Array.from(rows.flat());
    }
    case 'sigmoid':
    case 'softmax':
      return undefined;
    default:
      return node satisfies never;
  }
}

interface Windowed {
  readonly strides: readonly [number, number];
  readonly padding: Padding;
}

/** Every output pixel with the taps of its window inside the image: their numbers and their pixels. */
export function forEachWindow(
  { strides, padding: [top, , left] }: Windowed,
  [rows, columns]: readonly number[],
  dilation: readonly [number, number],
  [height, width]: Shape,
  [outHeight, outWidth]: Shape,
  body: (pixel: number, taps: readonly (readonly [number, number])[]) => void,
): void {
  for (let pixel = 0; pixel < outHeight * outWidth; pixel++) {
    const [r, c] = [Math.floor(pixel / outWidth), pixel % outWidth];
    const taps: [number, number][] = [];
    for (let tap = 0; tap < rows * columns; tap++) {
      const y = r * strides[0] - top + Math.floor(tap / columns) * dilation[0];
      const x = c * strides[1] - left + (tap % columns) * dilation[1];
      if (y >= 0 && y < height && x >= 0 && x < width) taps.push([tap, y * width + x]);
    }
    body(pixel, taps);
  }
}
