/** The picture, large, with the heat map over it; before there is one, the invitation to bring one. */

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { type Heat, paintHeat } from '../src/explain/paint.ts';
import { type Region, seenRegion } from '../src/explain/region.ts';
import type { Fitting } from './api.ts';
import { PictureIcon } from './icons.tsx';
import type { Picture } from './picture.ts';

export interface StageProps {
  readonly picture: Picture | undefined;
  readonly fitting: Fitting | undefined;
  readonly heat: Heat | undefined;
  /** 0–1. */
  readonly strength: number;
  readonly busy: boolean;
  readonly children: ComponentChildren;
}

/** Fingers do not drop files. */
const canDrop = (): boolean => matchMedia('(any-pointer: fine)').matches;

export function Stage({ picture, fitting, heat, strength, busy, children }: StageProps) {
  if (picture === undefined) {
    return (
      <div class="stage empty">
        <PictureIcon />
        <p class="invitation">{canDrop() ? 'Drop a picture here' : 'Show it a picture'}</p>
        <p class="aside">{canDrop() ? 'or paste one, or take one' : 'from your photos or the camera'}</p>
        {children}
      </div>
    );
  }
  const small = Math.max(picture.width, picture.height) < 160;
  return (
    <figure class="stage" aria-busy={busy}>
      <div
        class="frame"
        style={{ aspectRatio: `${picture.width} / ${picture.height}`, '--shape': picture.width / picture.height }}
      >
        <img class={small ? 'pixels' : ''} src={picture.url} alt={`Your picture, ${picture.name}`} />
        {heat !== undefined && (
          <Overlay picture={picture} heat={heat} region={fitting && seenRegion(picture, fitting)} strength={strength} />
        )}
      </div>
    </figure>
  );
}

interface OverlayProps {
  readonly picture: Picture;
  readonly heat: Heat;
  readonly region: Region | undefined;
  readonly strength: number;
}

/** Longer side of the painted map, in pixels: it is smooth, and stretched over the picture. */
const side = 384;

function Overlay({ picture, heat, region, strength }: OverlayProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const scale = side / Math.max(picture.width, picture.height);
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    context?.putImageData(new ImageData(paintHeat(heat, width, height, region), width, height), 0, 0);
  }, [heat, width, height, region?.x, region?.y, region?.width, region?.height]);
  return (
    <canvas
      ref={canvas}
      class="heat"
      width={width}
      height={height}
      style={{ opacity: strength }}
      role="img"
      aria-label="Heat map over the picture"
    />
  );
}
