/** The section `loss`: what is minimised.
 *  Losses that need more than labels (many labels per image, a teacher) are the library's alone. */

import { z } from 'zod';
import { crossEntropy, focal, type Loss } from '../train/losses.ts';
import { named, number } from './kinds.ts';

const common = {
  labelSmoothing: number('probability spread over all classes', { min: 0, max: 1, below: true }).default(0),
  classWeights: z
    .union([z.literal('balanced'), z.array(z.number().min(0))])
    .meta({ rule: 'balanced, or a list of numbers, one for each class', help: 'how much each class counts' })
    .exactOptional(),
};

export const lossSection = z.discriminatedUnion('name', [
  z.strictObject({ name: named('crossEntropy'), ...common }),
  z.strictObject({
    name: named('focal'),
    gamma: number('how much less sure images count; 0 is cross-entropy', { min: 0 }).default(2),
    alpha: number('a factor', { min: 0, above: true }).default(0.25),
    ...common,
  }),
]);

export function lossOf(section: z.output<typeof lossSection>): Loss {
  const { name, ...options } = section;
  return name === 'focal' ? focal(options) : crossEntropy(options);
}
