/** qubvel's classification_models (models/resnet.py): pre-activation ResNets for Keras, with the weights of MXNet. Our
 *  networks with `preactivation` bear the same names but for the classifier's. */

import type { LayersMap } from './map.ts';

export const classificationModels: LayersMap = {
  name: 'classification-models',
  title: "qubvel's classification_models (Keras)",
  by: 'layers',
  formats: ['keras', 'tfjs', 'tensorflow'],
  names: { fc: 'fc1' },
  layout: 'HWIO',
  epsilon: 2e-5,
  padding: 'symmetric',
  ignored: [],
  // It takes bytes from 0 to 255 as they are: its first normalisation is for those.
  preprocessing: { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
};
