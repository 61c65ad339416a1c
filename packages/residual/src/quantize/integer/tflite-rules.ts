/** Rounding of TensorFlow Lite's reference kernels: factors of 31 bits, so that integers agree with theirs one by one. */

import type { AffineParameters } from '../parameters.ts';
import { boundsOf, fixedMultiplier, rescalingTable, sigmoidTable, softmaxTable } from './fixed-point.ts';
import { type Factor, type FactorRounding, fits, packFactors } from './packing.ts';
import { type Rules, reach, type Sums, together } from './rules.ts';

/** Bits that both terms of a sum gain before they are added. */
const LIFT = 2 ** 20;

const isUnit = ({ scale, zeroPoint }: AffineParameters) => scale === 1 / 256 && zeroPoint === -128;

export const tfliteRules: Rules = {
  rounding: 'twice',

  layer(sums, input, output) {
    const rounding: FactorRounding = sums.op === 'dense' ? 'once' : 'twice';
    const factors = [...sums.biases].map((bias, c): Factor => ({ bias, factor: factorOf(sums, c, input, output) }));
    if (!factors.every((factor, c) => fits(sums.largest[c], factor, rounding))) return undefined;
    const ends = {
      inputZero: input.zeroPoint,
      zero: output.zeroPoint,
      bounds: boundsOf(sums.activation, output),
    };
    return { factors: packFactors(factors, ends, rounding), rounding };
  },

  add([a, b], output, activation) {
    const twice = 2 * Math.max(a.scale, b.scale);
    const terms = [a, b].map(
      ({ scale, zeroPoint }): Factor => ({ bias: -zeroPoint, factor: fixedMultiplier(scale / twice), lift: LIFT }),
    );
    const total: Factor = { factor: fixedMultiplier(twice / (LIFT * output.scale)) };
    if (![a, b].every((term, i) => fits(reach(term), terms[i])) || !fits(255 * LIFT, total)) return undefined;
    const ends = { inputZero: 0, zero: output.zeroPoint, bounds: boundsOf(activation, output) };
    return {
      factors: together([...terms, total].map((factor) => packFactors([factor], ends))),
      rounding: 'twice',
    };
  },

  mul([a, b], output) {
    // In single precision, as TFLite's kernel has it.
    const factor = fixedMultiplier(Math.fround(Math.fround(a.scale * b.scale) / output.scale));
    if (!fits(reach(a) * reach(b), { factor })) return undefined;
    const ends = { zero: output.zeroPoint, bounds: boundsOf('none', output) };
    return {
      factors: together([a, b].map(({ zeroPoint }) => packFactors([{ factor }], { ...ends, inputZero: zeroPoint }))),
      rounding: 'twice',
    };
  },

  /** TFLite puts the division by the number of pixels into the factor that changes the scale. */
  mean({ pixels, channels }, input, output) {
    const whole = fixedMultiplier(input.scale / output.scale);
    const bits = Math.min(Math.floor(Math.log2(pixels)), 32, 31 + whole.shift);
    const multiplier = Number((BigInt(whole.multiplier) << BigInt(bits)) / BigInt(pixels));
    const factor = { multiplier, shift: whole.shift - bits };
    if (!fits(reach(input) * pixels, { factor })) return undefined;
    const ends = { inputZero: input.zeroPoint, zero: output.zeroPoint, bounds: boundsOf('none', output) };
    return { factors: packFactors(Array<Factor>(channels).fill({ factor }), ends), rounding: 'twice' };
  },

  table(op, input, output) {
    if (op !== 'sigmoid') return rescalingTable(input, output, boundsOf(op, output));
    return isUnit(output) ? sigmoidTable(input) : undefined;
  },

  softmax(input, output, classes) {
    return isUnit(output) && classes < 4096 ? softmaxTable(input.scale) : undefined;
  },
};

/** TFLite multiplies the scales of a layer with one scale in single precision, those of channels in double. */
function factorOf({ op, scales }: Sums, channel: number, input: AffineParameters, output: AffineParameters) {
  const one = scales.length === 1;
  const product = input.scale * scales[one ? 0 : channel];
  return fixedMultiplier((op === 'dense' && one ? Math.fround(product) : product) / output.scale);
}
