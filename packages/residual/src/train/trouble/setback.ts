/** A trouble that training goes back from. Thrown where it is seen, caught by the loop, never shown as it is:
 *  where it cannot be mended the user gets a ModelError with its reason. */

import type { TroubleKind } from '../history.ts';

export class Setback extends Error {
  readonly kind: Exclude<TroubleKind, 'inputRange'>;

  /** @param reason What was seen, as the beginning of a sentence: `the loss is NaN at step 7`. */
  constructor(kind: Setback['kind'], reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'Setback';
    this.kind = kind;
  }
}
