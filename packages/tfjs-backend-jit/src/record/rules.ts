/** All rules of recording, by TF.js kernel name. Kernels that are not here run on the cpu backend's own functions. */
import { contract } from './contract.ts';
import { elementwise } from './elementwise.ts';
import { int8 } from './int8.ts';
import { move } from './move.ts';
import { normalize } from './normalize.ts';
import { reduce } from './reduce.ts';
import { resize } from './resize.ts';
import type { Rules } from './rule.ts';

export const rules: Rules = { ...elementwise, ...reduce, ...move, ...contract, ...normalize, ...resize, ...int8 };
