/** ONNX files whose initialisers have made-up names: PyTorch's exporter folds batch normalisation into the convolutions
 *  and calls what remains `onnx::Conv_193` … in the order of the nodes. Files with kept names have their origin's map. */

import { imagenet, type OrderMap } from './map.ts';

export const onnxOrder: OrderMap = {
  name: 'onnx-order',
  title: "an ONNX exporter's made-up names, in the order of the nodes",
  by: 'order',
  formats: ['onnx'],
  layout: 'OIHW',
  epsilon: 1e-5,
  padding: 'symmetric',
  ignored: [],
  preprocessing: imagenet,
};
