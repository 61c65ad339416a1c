/** The size that a picture is resized to before its centre is cut out: known to those who decode, and to those who say
 *  which part of a picture was seen. */
import type { ImageShape, ResizeDetails } from './dataset.ts';

/** Height and width before the cut. Rounded down, as timm does. */
export function beforeCut([height, width]: ImageShape, { crop = 1 }: ResizeDetails): readonly [number, number] {
  const longer = (side: number) => Math.floor(side / crop + 1e-6); // 224 / (224 / 232) must be 232
  return [longer(height), longer(width)];
}
