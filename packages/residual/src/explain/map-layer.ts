/** Which of a network's values is a map of the picture: the last one that still has places.
 *  Found by structure, so that networks of any origin can be explained. */

import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import { inputsOf } from '../models/transfer/graph.ts';

/** What thins a map out, or leaves it as it is: the map before is finer and as late. */
const passedOver = /^(Max|Average)Pooling2D$|^(Spatial)?Dropout(2D)?$|^ZeroPadding2D$/;

/**
 * The output of the layer that is named, or of the last one with a map [batch, height, width, channels] of more than
 * one place. Pooling and dropout behind it are passed over, as the paper does for VGG-16.
 *
 * @throws ModelError where there is none
 */
export function mapOf(model: LayersModel, name?: string): SymbolicTensor {
  const maps = valuesTo(model.outputs[0] as SymbolicTensor).filter(isMap);
  if (name !== undefined) {
    const found = maps.findLast(({ sourceLayer }) => sourceLayer.name === name);
    if (found !== undefined) return found;
    const names = maps.map(({ sourceLayer }) => sourceLayer.name).join(', ');
    throw new ModelError(
      `gradCam: layer must have a map [batch, height, width, channels], received '${name}'; those that have: ${names || 'none'}`,
    );
  }
  const last = maps.findLast(({ sourceLayer }) => !passedOver.test(sourceLayer.getClassName()));
  if (last === undefined) {
    throw new ModelError(`model ${model.name}: has no layer with a map of the picture, which Grad-CAM needs`);
  }
  return last;
}

/** All that leads to `output`, itself last. */
function valuesTo(output: SymbolicTensor): readonly SymbolicTensor[] {
  const seen = new Set<number>();
  const order: SymbolicTensor[] = [];
  const visit = (tensor: SymbolicTensor) => {
    if (seen.has(tensor.id)) return;
    seen.add(tensor.id);
    for (const input of inputsOf(tensor)) visit(input);
    order.push(tensor);
  };
  visit(output);
  return order;
}

function isMap({ shape, sourceLayer }: SymbolicTensor): boolean {
  const [, height, width] = shape;
  return shape.length === 4 && !!height && !!width && height * width > 1 && sourceLayer.getClassName() !== 'InputLayer';
}
