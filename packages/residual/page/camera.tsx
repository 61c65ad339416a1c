/** The camera's view in a dialog, and a still of it. Pictures are taken here and go nowhere but to the server. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { stillOf } from './picture.ts';

export interface CameraProps {
  readonly onPicture: (blob: Blob) => void;
  readonly onClose: () => void;
}

/** Whether the page may use the camera itself: in a secure context. Elsewhere a phone's own camera app serves. */
export const hasCamera = (): boolean => navigator.mediaDevices?.getUserMedia !== undefined;

export function Camera({ onPicture, onClose }: CameraProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [facing, setFacing] = useState<'environment' | 'user'>('environment');
  const [cameras, setCameras] = useState(0);
  const [ready, setReady] = useState(false);
  const [problem, setProblem] = useState('');

  useEffect(() => dialog.current?.showModal(), []);

  useEffect(() => {
    let stream: MediaStream | undefined;
    let over = false;
    setReady(false);
    const start = async () => {
      const size = { width: { ideal: 1280 }, height: { ideal: 1280 } };
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, ...size }, audio: false });
      if (over || video.current === null) return stop(stream);
      video.current.srcObject = stream;
      await video.current.play();
      const devices = await navigator.mediaDevices.enumerateDevices();
      setCameras(devices.filter(({ kind }) => kind === 'videoinput').length);
      setReady(true);
    };
    start().catch((error: unknown) => {
      if (!over) setProblem(problemOf(error));
    });
    return () => {
      over = true;
      stop(stream);
    };
  }, [facing]);

  const take = async () => {
    if (video.current === null) return;
    try {
      onPicture(await stillOf(video.current));
    } catch (error) {
      setProblem(problemOf(error));
    }
  };

  return (
    <dialog ref={dialog} class="camera" aria-label="Camera" onClose={onClose}>
      {problem === '' ? <video ref={video} playsInline muted /> : <p role="alert">{problem}</p>}
      <div class="actions">
        <button type="button" class="primary" disabled={!ready} onClick={take}>
          Take the picture
        </button>
        {cameras > 1 && (
          <button type="button" onClick={() => setFacing(facing === 'user' ? 'environment' : 'user')}>
            Other camera
          </button>
        )}
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}

function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function problemOf(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError')
    return 'The camera may not be used: allow it in the settings of the browser for this page.';
  if (name === 'NotFoundError') return 'No camera is connected.';
  return `The camera does not start: ${error instanceof Error ? error.message : String(error)}`;
}
