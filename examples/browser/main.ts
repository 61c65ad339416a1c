/** A page that classifies where it is: a dropped file or the camera, in LiteRT or in our own engine.
 *  Class names and preprocessing come out of the exported file itself. */
import { readTflite } from 'residual';
import { type EngineName, engines, type Run } from './engines.ts';
import { pixelsOf, type Source } from './pixels.ts';

export interface Answer {
  readonly engine: EngineName;
  /** In the order of the model's classes. */
  readonly probabilities: readonly number[];
  readonly milliseconds: number;
}

const element = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const say = (text: string) => {
  element('status').textContent = text;
};

const file = await fetch(new URL('./model.tflite', document.baseURI)).then(
  async (response) => new Uint8Array(await response.arrayBuffer()),
);
const { graph } = readTflite(file, 'model.tflite');
const running = new Map<EngineName, Promise<Run>>();

/** What the model says of a picture. */
async function classify(source: Source, engine: EngineName): Promise<Answer> {
  const loading = running.get(engine) ?? engines[engine](file);
  running.set(engine, loading);
  const run = await loading;
  const start = performance.now();
  const outputs = await run(pixelsOf(source, graph.preprocessing, graph.input.range));
  const probabilities = graph.gives === 'logits' ? softmax(outputs) : [...outputs];
  return { engine, probabilities, milliseconds: performance.now() - start };
}

function softmax(logits: Float32Array): number[] {
  const highest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - highest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

function show(source: Source, { probabilities, milliseconds, engine }: Answer): void {
  const canvas = element<HTMLCanvasElement>('picture');
  [canvas.width, canvas.height] =
    source instanceof HTMLVideoElement ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
  canvas.getContext('2d')?.drawImage(source, 0, 0);
  const best = graph.classes
    .map((name, i) => ({ name, probability: probabilities[i] }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, 5);
  element('classes').replaceChildren(
    ...best.map(({ name, probability }) => {
      const [item, share, meter] = ['li', 'span', 'meter'].map((tag) => document.createElement(tag));
      share.textContent = `${(100 * probability).toFixed(1)} %`;
      (meter as HTMLMeterElement).value = probability;
      meter.ariaLabel = name;
      item.append(name, share, meter);
      return item;
    }),
  );
  say(`${best[0]?.name}: ${milliseconds.toFixed(0)} ms in ${engine === 'litert' ? 'LiteRT' : 'Residual'}`);
}

const chosen = () => element<HTMLSelectElement>('engine').value as EngineName;
let last: ImageBitmap | undefined;
let stream: MediaStream | undefined;

async function look(picture: Blob): Promise<void> {
  stopCamera();
  // Upright as the picture's EXIF orientation says.
  last = await createImageBitmap(picture);
  show(last, await classify(last, chosen()));
}

async function startCamera(): Promise<void> {
  stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  const video = document.createElement('video');
  video.muted = video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  element('camera').textContent = 'Stop';
  while (stream?.active) {
    show(video, await classify(video, chosen()));
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera(): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  element('camera').textContent = 'Camera';
}

const tell = (error: unknown) => say(error instanceof Error ? error.message : String(error));
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  const [dropped] = event.dataTransfer?.files ?? [];
  if (dropped) look(dropped).catch(tell);
});
element('file').addEventListener('change', ({ target }) => {
  const [picked] = (target as HTMLInputElement).files ?? [];
  if (picked) look(picked).catch(tell);
});
element('camera').addEventListener('click', () => {
  if (stream) stopCamera();
  else startCamera().catch(tell);
});
element('engine').addEventListener('change', () => {
  if (last && !stream) classify(last, chosen()).then((answer) => last && show(last, answer), tell);
});
say(`It tells ${graph.classes.length} classes apart. Drop a picture.`);
// For tests, and for the console.
Object.assign(globalThis, { classify });
