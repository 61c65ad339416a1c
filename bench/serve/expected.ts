/** What the networks of the soak must answer about its pictures, computed apart from the server. */

import assert from 'node:assert/strict';
import '@tensorflow/tfjs-backend-cpu';
import { decodeImage, loadModel, predict } from 'residual';
import { makeJpegs } from './material.ts';

export interface Expected {
  /** Probabilities by network and picture. */
  of(network: number, picture: number): readonly number[];
  /** @throws AssertionError for another answer */
  check(
    network: number,
    picture: number,
    classes: readonly { readonly name: string; readonly probability: number }[],
  ): void;
  checkRow(network: number, picture: number, row: readonly number[]): void;
}

export function makePictures(count: number): Promise<Buffer[]> {
  return makeJpegs(count, 64, 48);
}

export async function expectedOf(folders: readonly string[], pictures: readonly Buffer[]): Promise<Expected> {
  const rows: number[][][] = [];
  for (const folder of folders) {
    const { model, info } = await loadModel(folder);
    const { inputShape, mean, std } = info.preprocessing;
    rows.push(
      await Promise.all(
        pictures.map(async (picture) => {
          const bytes = await decodeImage(picture, { size: [inputShape[0], inputShape[1]] });
          const values = Float32Array.from(bytes, (byte, i) => (byte / 255 - (mean[i % 3] ?? 0)) / (std[i % 3] ?? 1));
          return Array.from((await predict(model, values))[0] ?? []);
        }),
      ),
    );
    model.dispose();
  }
  const of = (network: number, picture: number) => rows[network]?.[picture] ?? [];
  // Networks that answer alike could be mixed unseen.
  for (let a = 0; a < rows.length; a++) {
    for (let b = 0; b < a; b++)
      assert.ok(Math.abs((of(a, 0)[0] ?? 0) - (of(b, 0)[0] ?? 0)) > 1e-3, `${a} and ${b} are alike`);
  }
  const near = (a: number, b: number, what: string) =>
    assert.ok(Math.abs(a - b) < 1e-4, `${what}: ${a}, expected ${b}`);
  return {
    of,
    check(network, picture, classes) {
      assert.equal(classes.length, of(network, picture).length);
      for (const { name, probability } of classes) {
        near(
          probability,
          of(network, picture)[Number(name.split(' ')[1])] ?? Number.NaN,
          `network ${network}, ${name}`,
        );
      }
    },
    checkRow(network, picture, row) {
      assert.equal(row.length, of(network, picture).length);
      for (const [k, value] of row.entries()) near(value, of(network, picture)[k] ?? Number.NaN, `network ${network}`);
    },
  };
}
