/** Rounding of a file with QuantizeLinear and DequantizeLinear: what the floats between a pair and the next come to, halves
 *  to even. Sums are exact integers until one factor in single precision, as ONNX Runtime's kernels (MLAS) have it, makes
 *  8 bits of them; floats that are summed one by one may round to the other side where the result is nearly a half. */

import type { Activation } from '../../export/graph/graph.ts';
import { type AffineParameters, clamp, roundEven } from '../parameters.ts';
import { packRealFactors, type RealFactor, realFits } from './packing.ts';
import { type Rules, reach, together } from './rules.ts';

const single = Math.fround;

export const onnxRules: Rules = {
  rounding: 'even',

  layer({ biases, scales, largest, activation }, input, output) {
    const factors = [...biases].map(
      (bias, c): RealFactor => ({ bias, factor: factorOf(input, scales[scales.length === 1 ? 0 : c], output) }),
    );
    if (!factors.every(({ factor }, c) => realFits(largest[c], factor))) return undefined;
    return { factors: packRealFactors(factors, endsOf(input.zeroPoint, output, activation)), rounding: 'even' };
  },

  /** Added as floats: there is no common unit in which both terms were integers. */
  add(terms, output, activation) {
    const largest = Math.max(...terms.map((term) => reach(term) * term.scale));
    if (!realFits(1, (2 * largest) / output.scale)) return undefined;
    const factors = [
      ...terms.map(({ scale, zeroPoint }): RealFactor => ({ bias: -zeroPoint, factor: scale })),
      { bias: 0, factor: output.scale },
    ];
    const ends = endsOf(0, output, activation);
    return { factors: together(factors.map((factor) => packRealFactors([factor], ends))), rounding: 'even' };
  },

  mul([a, b], output) {
    const factor = factorOf(a, b.scale, output);
    if (!realFits(reach(a) * reach(b), factor)) return undefined;
    const panels = [a, b].map(({ zeroPoint }) => packRealFactors([{ bias: 0, factor }], endsOf(zeroPoint, output)));
    return { factors: together(panels), rounding: 'even' };
  },

  mean({ pixels, channels }, input, output) {
    const factor = single(input.scale / single(output.scale * pixels));
    if (!realFits(reach(input) * pixels, factor)) return undefined;
    const factors = Array<RealFactor>(channels).fill({ bias: 0, factor });
    return { factors: packRealFactors(factors, endsOf(input.zeroPoint, output)), rounding: 'even' };
  },

  table(op, input, output) {
    const [low, high] = boundsOf(op === 'sigmoid' ? 'none' : op, output);
    return Int8Array.from({ length: 256 }, (_, i) => {
      const real = single(input.scale * (i - 128 - input.zeroPoint));
      return clamp(quantized(op === 'sigmoid' ? single(1 / (1 + Math.exp(-real))) : real, output), low, high);
    });
  },

  /** It is left to floats, as it is in the files that we write. */
  softmax: () => undefined,
};

const factorOf = (input: AffineParameters, scale: number, output: AffineParameters): number =>
  single(single(input.scale * scale) / output.scale);

/** QuantizeLinear of one number, not yet held within 8 bits. */
const quantized = (real: number, { scale, zeroPoint }: AffineParameters): number =>
  roundEven(single(real / scale)) + zeroPoint;

/** What a ReLU between an operation and its QuantizeLinear leaves: both only ever rise, so it may come after. */
function boundsOf(activation: Activation, output: AffineParameters): readonly [number, number] {
  if (activation === 'none') return [-128, 127];
  return [output.zeroPoint, activation === 'relu6' ? Math.min(127, quantized(6, output)) : 127];
}

function endsOf(inputZero: number, output: AffineParameters, activation: Activation = 'none') {
  return { inputZero, zero: output.zeroPoint, bounds: boundsOf(activation, output) };
}
