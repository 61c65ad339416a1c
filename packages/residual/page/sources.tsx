/** The ways to bring a picture, beside dropping it: a file, the clipboard, the camera. */

import { useRef } from 'preact/hooks';
import { hasCamera } from './camera.tsx';
import { CameraIcon, FileIcon, PasteIcon } from './icons.tsx';
import { accepted } from './picture.ts';

export interface SourcesProps {
  readonly onFile: (file: Blob, name: string) => void;
  readonly onProblem: (problem: string) => void;
  readonly onCamera: () => void;
}

/** Ctrl+V works everywhere; reading the clipboard at a press of a button in secure contexts only. */
const canPaste = (): boolean => navigator.clipboard?.read !== undefined;

export function Sources({ onFile, onProblem, onCamera }: SourcesProps) {
  const files = useRef<HTMLInputElement>(null);
  const phone = useRef<HTMLInputElement>(null);

  const taken = (input: HTMLInputElement) => {
    const [file] = Array.from(input.files ?? []);
    input.value = '';
    if (file !== undefined) onFile(file, file.name);
  };

  const paste = async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((one) => one.startsWith('image/'));
        if (type !== undefined) return onFile(await item.getType(type), 'from the clipboard');
      }
      onProblem('There is no picture in the clipboard.');
    } catch {
      onProblem('The clipboard may not be read here. Ctrl+V, or a long press, pastes all the same.');
    }
  };

  return (
    <div class="sources">
      <button type="button" class="primary" onClick={() => files.current?.click()}>
        <FileIcon /> Choose a file
      </button>
      {canPaste() && (
        <button type="button" onClick={paste}>
          <PasteIcon /> Paste
        </button>
      )}
      <button type="button" onClick={() => (hasCamera() ? onCamera() : phone.current?.click())}>
        <CameraIcon /> Camera
      </button>
      <input
        ref={files}
        type="file"
        accept={accepted}
        hidden
        aria-label="A picture"
        onChange={({ currentTarget }) => taken(currentTarget)}
      />
      <input
        ref={phone}
        type="file"
        accept={accepted}
        capture="environment"
        hidden
        aria-label="The camera"
        onChange={({ currentTarget }) => taken(currentTarget)}
      />
    </div>
  );
}
