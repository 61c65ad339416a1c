/** The example's pictures: circles, squares and triangles of any colour, place and size, drawn on a canvas from a seed. */

export const CLASSES = ['circle', 'square', 'triangle'] as const;
export const SIDE = 32;

export interface Pictures {
  /** Bytes, count × 32 × 32 × 3. */
  readonly images: Uint8Array;
  readonly labels: Int32Array;
}

export function drawShapes(count: number, seed: number): Pictures {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser has no 2D canvas');
  const random = randomFrom(seed);
  const images = new Uint8Array(count * SIDE * SIDE * 3);
  const labels = Int32Array.from({ length: count }, (_, i) => i % CLASSES.length);
  for (let i = 0; i < count; i++) {
    const hue = 360 * random();
    context.fillStyle = `hsl(${hue} 60% 25%)`;
    context.fillRect(0, 0, SIDE, SIDE);
    context.fillStyle = `hsl(${hue + 90 + 180 * random()} 80% 65%)`;
    const radius = 6 + 6 * random();
    const [x, y] = [radius + (SIDE - 2 * radius) * random(), radius + (SIDE - 2 * radius) * random()];
    context.beginPath();
    if (labels[i] === 0) context.arc(x, y, radius, 0, 2 * Math.PI);
    else polygon(context, labels[i] === 1 ? 4 : 3, x, y, radius, 2 * Math.PI * random());
    context.fill();
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    for (let p = 0; p < SIDE * SIDE; p++) images.set(data.subarray(4 * p, 4 * p + 3), 3 * (i * SIDE * SIDE + p));
  }
  return { images, labels };
}

function polygon(
  context: CanvasRenderingContext2D,
  corners: number,
  x: number,
  y: number,
  radius: number,
  turn: number,
) {
  for (let corner = 0; corner < corners; corner++) {
    const angle = turn + (2 * Math.PI * corner) / corners;
    context.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  }
}

/** Draws one picture into a canvas of its own, for people. */
export function show({ images }: Pictures, index: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = SIDE;
  const picture = new ImageData(SIDE, SIDE);
  for (let p = 0; p < SIDE * SIDE; p++) {
    const at = 3 * (index * SIDE * SIDE + p);
    picture.data.set([images[at], images[at + 1], images[at + 2], 255], 4 * p);
  }
  canvas.getContext('2d')?.putImageData(picture, 0, 0);
  return canvas;
}

/** A small linear congruential generator: the example needs pictures, not statistics. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
