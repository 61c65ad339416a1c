/** ONNX files by their nodes: PyTorch's exporter folds batch normalisation into the convolutions and calls what remains
 *  `onnx::Conv_193` …, and stores equal tensors once. Files that keep all names have their origin's map. */

import { imagenet, type OrderMap } from './map.ts';

export const onnxOrder: OrderMap = {
  name: 'onnx',
  title: "the order of an ONNX graph's nodes",
  by: 'order',
  formats: ['onnx'],
  layout: 'OIHW',
  epsilon: 1e-5,
  padding: 'symmetric',
  ignored: [],
  preprocessing: imagenet,
};
