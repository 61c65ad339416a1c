/** How TFLite pads a window: SAME or VALID only. Any other padding becomes an operator of its own before it.
 *  SAME depends on the input's size, so the same padding may be SAME at one size and not at another. */

import type { Padding, Pair } from '../graph/graph.ts';

export interface Window {
  /** Rows and columns of the input. */
  readonly input: Pair;
  readonly size: Pair;
  readonly strides: Pair;
  readonly dilation?: Pair;
}

/** What SAME adds: as much as gives ⌈input / stride⌉ outputs, the odd pixel after. */
export function samePadding({ input, size, strides, dilation = [1, 1] }: Window): Padding {
  const axis = (a: 0 | 1): [number, number] => {
    const reach = (size[a] - 1) * dilation[a] + 1;
    const outputs = Math.ceil(input[a] / strides[a]);
    const total = Math.max((outputs - 1) * strides[a] + reach - input[a], 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  };
  return [...axis(0), ...axis(1)] as Padding;
}

/** `explicit`: pad first, then VALID. */
export function paddingKind(padding: Padding, window: Window): 'SAME' | 'VALID' | 'explicit' {
  if (padding.every((pixels) => pixels === 0)) return 'VALID';
  const same = samePadding(window);
  return padding.every((pixels, side) => pixels === same[side]) ? 'SAME' : 'explicit';
}
