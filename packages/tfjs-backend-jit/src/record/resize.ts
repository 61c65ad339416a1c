/** Resizing of images and its gradients. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Features, Recipe } from '../kernels/kernel.ts';
import {
  resizeBilinear,
  resizeBilinearGrad,
  resizeNearestNeighbor,
  resizeNearestNeighborGrad,
} from '../kernels/resize.ts';
import type { ResizeShape } from '../kernels/resize-shape.ts';
import { floats, isFloat, type Rules, rule } from './rule.ts';

interface ResizeAttrs {
  readonly alignCorners: boolean;
  readonly halfPixelCenters?: boolean;
  readonly size: readonly [height: number, width: number];
}

type Build = (shape: ResizeShape, features: Features) => Recipe;
type Shaped = Pick<TensorInfo, 'shape'> | { readonly shape: readonly number[] };

function geometry(
  images: Shaped,
  [outHeight, outWidth]: readonly number[],
  attrs: Omit<ResizeAttrs, 'size'>,
): ResizeShape {
  const [batch, inHeight, inWidth, channels] = images.shape;
  const { alignCorners, halfPixelCenters = false } = attrs;
  return { batch, inHeight, inWidth, outHeight, outWidth, channels, alignCorners, halfPixelCenters };
}

function forward(name: string, build: Build) {
  return rule<ResizeAttrs>({
    infer({ images }, { size }) {
      if (!isFloat(images)) return null;
      return [floats([images.shape[0], size[0], size[1], images.shape[3]])];
    },
    lower(g, { images }, attrs, [{ shape: out }]) {
      const shape = geometry(images, attrs.size, attrs);
      return g.recipe({
        name,
        key: Object.values(shape).join(),
        inputs: [images],
        outputs: [{ shape: out, lane: 'f32' }],
        build: (features) => build(shape, features),
      });
    },
  });
}

function gradient(name: string, build: Build) {
  return rule<Omit<ResizeAttrs, 'size'>>({
    infer: ({ images, dy }) => (isFloat(images, dy) ? [floats(images.shape)] : null),
    lower(g, { images, dy }, attrs) {
      const shape = geometry(images, dy.shape.slice(1, 3), attrs);
      return g.recipe({
        name,
        key: Object.values(shape).join(),
        inputs: [dy],
        outputs: [{ shape: images.shape, lane: 'f32' }],
        build: (features) => build(shape, features),
      });
    },
  });
}

export const resize: Rules = {
  ResizeBilinear: forward('ResizeBilinear', resizeBilinear),
  ResizeNearestNeighbor: forward('ResizeNearestNeighbor', resizeNearestNeighbor),
  ResizeBilinearGrad: gradient('ResizeBilinearGrad', resizeBilinearGrad),
  ResizeNearestNeighborGrad: gradient('ResizeNearestNeighborGrad', resizeNearestNeighborGrad),
};
