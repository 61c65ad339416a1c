/** How many weights of a model are zero, kernel by kernel. */

import type * as tfl from '@tensorflow/tfjs-layers';
import { kernelsOf } from './kernels.ts';

export interface KernelSparsity {
  readonly name: string;
  readonly weights: number;
  readonly zeros: number;
}

/** Counts exact zeros. */
export async function sparsityOf(model: tfl.LayersModel): Promise<readonly KernelSparsity[]> {
  return Promise.all(
    kernelsOf(model).map(async ({ name, variable }) => {
      const values = await variable.data();
      return {
        name,
        weights: values.length,
        zeros: (values as Float32Array).reduce((n, v) => n + (v === 0 ? 1 : 0), 0),
      };
    }),
  );
}
