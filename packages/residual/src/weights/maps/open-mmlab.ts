/** OpenMMLab's classifiers (mmpretrain): torchvision's names behind `backbone.`, with a head of their own. */

import type { PartsMap } from './map.ts';
import { torchvision, torchvisionParts } from './torchvision.ts';

export const openMmlab: PartsMap = {
  ...torchvision,
  name: 'openmmlab',
  title: 'OpenMMLab (PyTorch)',
  parts: {
    ...(Object.fromEntries(
      Object.entries(torchvisionParts).map(([part, name]) => [part, `backbone.${name}`]),
    ) as unknown as typeof torchvisionParts),
    fc: 'head.fc',
  },
};
