/** Random grayscale: some pictures lose their colour, so that the network learns shapes as well.
 *  They keep their three channels, each the luma. */
import { grey } from './color.ts';
import { between } from './limits.ts';
import type { Plan } from './transform.ts';

export interface RandomGrayscale {
  readonly name: 'randomGrayscale';
  readonly probability: number;
}

/**
 * @param options.probability that a picture turns grey. Default 0.1
 * @throws DataError for a probability out of range; for pictures of other than 1 or 3 channels
 */
export function randomGrayscale(options: { readonly probability?: number } = {}): RandomGrayscale {
  const { probability = 0.1 } = options;
  return { name: 'randomGrayscale', probability: between('randomGrayscale', 'probability', probability, 0, 1) };
}

export function planRandomGrayscale({ probability }: RandomGrayscale): Plan {
  return ({ channels }, random) => {
    const matrix = grey(channels);
    return random.boolean(probability) && channels > 1 ? [{ kind: 'color', matrix }] : [];
  };
}
