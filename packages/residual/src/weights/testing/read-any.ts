/** `openWeights` as a reader, so that fuzzing.ts can attack the recognition of formats too. */

import { openWeights } from '../open.ts';
import type { WeightReader } from '../reader.ts';

export const readAny: WeightReader = (source, siblings) => openWeights(source, { siblings });
