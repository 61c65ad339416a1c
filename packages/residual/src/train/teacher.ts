/** A teacher in the student's step: its logits for the student's images, whatever each was normalised with. */

import * as tf from '@tensorflow/tfjs-core';
import { ModelError } from '../models/errors.ts';
import { type Network, networkOf } from '../models/network.ts';
import { logitsOf } from './loss.ts';
import type { Teacher } from './losses.ts';

/** The teacher's logits [n, classes] for the student's images; inside `tf.tidy`, in inference mode. */
export type Lesson = (images: tf.Tensor4D) => tf.Tensor2D;

/**
 * @param normalize What the student's images were normalised with.
 * @throws ModelError where teacher and student see other sizes or classes, or their preprocessing cannot be compared
 */
export function teacherOf(
  { model, preprocessing }: Teacher,
  student: Network,
  normalize?: { readonly mean: readonly number[]; readonly std: readonly number[] },
): Lesson {
  const teacher = networkOf(model);
  const of = ({ inputShape, classes }: Network) => `${inputShape.join(' x ')} and ${classes} classes`;
  if (of(teacher) !== of(student)) {
    throw new ModelError(`distillation: the teacher ${model.name} has ${of(teacher)}, the student ${of(student)}`);
  }
  if (teacher.ends === 'sigmoid') throw new ModelError(`distillation: the teacher ${model.name} ends in sigmoid`);
  if (preprocessing && !normalize)
    throw new ModelError('distillation: what the student was normalised with is unknown');
  const same =
    !preprocessing ||
    JSON.stringify([preprocessing.mean, preprocessing.std]) === JSON.stringify([normalize?.mean, normalize?.std]);
  return (images) => {
    let x = images;
    if (!same && normalize) {
      // Pixels again, x·s + m, then the teacher's (p − m′) / s′, as one line per channel.
      const scale = normalize.std.map((s, c) => s / (preprocessing.std[c] ?? 1));
      const shift = normalize.mean.map((m, c) => (m - (preprocessing.mean[c] ?? 0)) / (preprocessing.std[c] ?? 1));
      x = tf.add(tf.mul(images, tf.tensor1d(scale)), tf.tensor1d(shift));
    }
    const output = teacher.apply(x, false);
    return teacher.gives === 'logits' ? output : logitsOf(output);
  };
}
