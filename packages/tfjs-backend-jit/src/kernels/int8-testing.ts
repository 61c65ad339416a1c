/**
 * What the tests of 8-bit kernels share: packing, and a second implementation of the arithmetic in plain loops and
 * 64-bit integers, written from the definition of TensorFlow Lite's kernels and not from ours.
 */
import type { Conv2DShape } from './conv-shape.ts';
import {
  FACTOR_PANEL,
  FIELDS,
  type Field,
  fieldAt,
  PANEL,
  packedChannels,
  panelsOf,
  type Rounding,
} from './int8-layout.ts';

/** Whole numbers from −128 to 127. */
export function bytes(size: number, random: () => number, low = -128, high = 127): Int8Array {
  return Int8Array.from({ length: size }, () => low + Math.floor(random() * (high - low + 1)));
}

/** [pixels, channels] → words as kernels read them; what fills a pixel up is noise, which nothing may depend on. */
export function pack(values: Int8Array, channels: number): Int32Array {
  const packed = packedChannels(channels);
  const out = new Int8Array((values.length / channels) * packed).fill(77);
  values.forEach((value, i) => {
    out[Math.floor(i / channels) * packed + (i % channels)] = value;
  });
  return new Int32Array(out.buffer);
}

export function unpack(words: ArrayBufferView, channels: number): Int8Array {
  const all = new Int8Array(words.buffer, words.byteOffset, words.byteLength);
  const packed = packedChannels(channels);
  return Int8Array.from(
    { length: (all.length / packed) * channels },
    (_, i) => all[Math.floor(i / channels) * packed + (i % channels)],
  );
}

/** [rows, columns, inputs, outputs] → panels. */
export function packFilter(w: Int8Array, taps: number, inputs: number, outputs: number): Int32Array {
  const packed = packedChannels(inputs);
  const out = new Int8Array(panelsOf(outputs) * taps * packed * PANEL);
  for (let t = 0; t < taps; t++) {
    for (let c = 0; c < inputs; c++) {
      for (let o = 0; o < outputs; o++) {
        const k = t * packed + c;
        const panel = Math.floor(o / PANEL) * taps * packed * PANEL;
        out[panel + Math.floor(k / 2) * PANEL * 2 + (o % PANEL) * 2 + (k % 2)] = w[(t * inputs + c) * outputs + o];
      }
    }
  }
  return new Int32Array(out.buffer);
}

/** [rows, columns, outputs] → panels of a depthwise filter. */
export function packDepthwise(w: Int8Array, taps: number, outputs: number): Int32Array {
  const out = new Int8Array(panelsOf(outputs) * taps * PANEL);
  for (let t = 0; t < taps; t++) {
    for (let o = 0; o < outputs; o++) {
      out[(Math.floor(o / PANEL) * taps + t) * PANEL + (o % PANEL)] = w[t * outputs + o];
    }
  }
  return new Int32Array(out.buffer);
}

/** One rescaling: multiplier / 2³¹ · 2^shift, 2³⁰ ≤ multiplier < 2³¹. */
export interface Scale {
  readonly multiplier: number;
  readonly shift: number;
  readonly bias: number;
}

export interface Ends {
  readonly inputZero: number;
  readonly zero: number;
  readonly min: number;
  readonly max: number;
}

export function packFactors(scales: readonly Scale[], ends: Ends, rounding: Rounding = 'twice'): Int32Array {
  const out = new Int32Array((panelsOf(scales.length) * FACTOR_PANEL) / 4);
  const put = (channel: number, field: Field, value: number) => {
    const panel = (Math.floor(channel / PANEL) * FACTOR_PANEL) / 4;
    out[panel + fieldAt(field) / 4 + (channel % PANEL)] = value;
  };
  scales.forEach(({ multiplier, shift, bias }, channel) => {
    const right = Math.max(rounding === 'once' ? 1 : 0, -shift);
    const values: Readonly<Record<Field, number>> = {
      ...ends,
      bias,
      multiplier,
      left: 2 ** (shift + right),
      half: right > 0 ? 2 ** (right - 1) : 0,
      away: right > 0 && rounding !== 'once' ? -1 : 0,
      scale: 2 ** (30 - right),
    };
    for (const field of FIELDS) put(channel, field, values[field]);
  });
  return out;
}

/** SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT. */
export function rescaled(sum: number, { multiplier, shift, bias }: Scale): number {
  const product = BigInt(sum + bias) * 2n ** BigInt(Math.max(0, shift)) * BigInt(multiplier);
  const nudge = product >= 0n ? 2n ** 30n : 1n - 2n ** 30n;
  const high = (product + nudge) / 2n ** 31n; // towards 0
  const right = BigInt(Math.max(0, -shift));
  const mask = 2n ** right - 1n;
  const remainder = high & mask;
  const threshold = (mask >> 1n) + (high < 0n ? 1n : 0n);
  return Number((high >> right) + (remainder > threshold ? 1n : 0n));
}

export const held = (value: number, { zero, min, max }: Ends): number => Math.min(Math.max(value + zero, min), max);

/** A geometry as a case names it: image [batch, rows, columns, channels], window, strides … */
export interface WindowCase {
  readonly image: readonly [number, number, number, number];
  readonly size: readonly [number, number];
  readonly outputs?: number;
  readonly stride?: number | readonly [number, number];
  readonly pad?: readonly [number, number, number, number];
  readonly dilation?: number;
}

export function shapeFor(c: WindowCase): Conv2DShape {
  const { image, size, stride = 1, pad = [0, 0, 0, 0], dilation = 1 } = c;
  const [batch, inHeight, inWidth, inChannels] = image;
  const [strideHeight, strideWidth] = typeof stride === 'number' ? [stride, stride] : stride;
  const out = (length: number, around: number, taps: number, step: number) =>
    Math.floor((length + around - (taps - 1) * dilation - 1) / step) + 1;
  return {
    ...{ batch, inHeight, inWidth, inChannels, strideHeight, strideWidth },
    outHeight: out(inHeight, pad[0] + pad[1], size[0], strideHeight),
    outWidth: out(inWidth, pad[2] + pad[3], size[1], strideWidth),
    outChannels: c.outputs ?? inChannels,
    ...{ filterHeight: size[0], filterWidth: size[1], dilationHeight: dilation, dilationWidth: dilation },
    ...{ padTop: pad[0], padLeft: pad[2] },
  };
}

/** Every output pixel with the taps of its window that lie inside: their numbers, and their input pixels. */
export function* windows(s: Conv2DShape): Generator<{ pixel: number; taps: readonly (readonly [number, number])[] }> {
  let pixel = 0;
  for (let b = 0; b < s.batch; b++) {
    for (let r = 0; r < s.outHeight; r++) {
      for (let c = 0; c < s.outWidth; c++, pixel++) {
        const taps: [number, number][] = [];
        for (let i = 0; i < s.filterHeight; i++) {
          for (let j = 0; j < s.filterWidth; j++) {
            const y = r * s.strideHeight - s.padTop + i * s.dilationHeight;
            const x = c * s.strideWidth - s.padLeft + j * s.dilationWidth;
            if (y < 0 || y >= s.inHeight || x < 0 || x >= s.inWidth) continue;
            taps.push([i * s.filterWidth + j, (b * s.inHeight + y) * s.inWidth + x]);
          }
        }
        yield { pixel, taps };
      }
    }
  }
}

/** Scales as trained networks have them, some above 1, some tiny, some without a shift; biases of any size. */
export function scalesFor(channels: number, depth: number, random: () => number): Scale[] {
  return Array.from({ length: channels }, (_, c) => ({
    multiplier: c % 7 === 3 ? 2 ** 30 : 2 ** 30 + Math.floor(random() * (2 ** 30 - 1)),
    shift: c % 11 === 5 ? 2 : c % 11 === 6 ? 0 : -Math.floor(Math.log2(depth * 60) * (0.8 + 0.5 * random())),
    bias: Math.floor((random() - 0.5) * depth * 4000),
  }));
}
