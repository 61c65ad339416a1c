/** A picture from wherever it came: shown as it is, and sent as it is where the server can read it.
 *  The original bytes are sent, so that the answer is the one that `residual predict` gives for the same file. */

export interface Picture {
  readonly name: string;
  /** What is sent. */
  readonly blob: Blob;
  /** A blob: address, to show; revoked by `forget`. */
  readonly url: string;
  /** In pixels, upright. */
  readonly width: number;
  readonly height: number;
}

/** What the server decodes from a body. */
const sendable = ['image/jpeg', 'image/png', 'image/webp'];

export const accepted = 'image/*';

/** @throws Error, for people, where it is no picture that this browser can show */
export async function openPicture(blob: Blob, name: string): Promise<Picture> {
  if (blob.size === 0) throw new Error(`${name} is empty.`);
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    URL.revokeObjectURL(url);
    throw new Error(`${name} is not a picture that this browser can read. JPEG, PNG and WebP always work.`);
  }
  const { naturalWidth: width, naturalHeight: height } = image;
  return { name, url, width, height, blob: sendable.includes(blob.type) ? blob : await asPng(image) };
}

export function forget({ url }: Picture): void {
  URL.revokeObjectURL(url);
}

/** The picture among what was dropped or pasted. */
export function pictureIn(data: DataTransfer | null): File | undefined {
  const files = Array.from(data?.files ?? []);
  return files.find(({ type }) => type.startsWith('image/')) ?? files[0];
}

/** A still of a video, as a JPEG. */
export async function stillOf(video: HTMLVideoElement): Promise<Blob> {
  return drawn(video, video.videoWidth, video.videoHeight, 'image/jpeg');
}

function asPng(image: HTMLImageElement): Promise<Blob> {
  return drawn(image, image.naturalWidth, image.naturalHeight, 'image/png');
}

async function drawn(source: CanvasImageSource, width: number, height: number, type: string): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')?.drawImage(source, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, 0.95));
  if (blob === null) throw new Error('This browser cannot copy the picture.');
  return blob;
}
