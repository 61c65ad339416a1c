/** Pictures that are dropped anywhere on the page, or pasted into it. */

import { useEffect, useState } from 'preact/hooks';

/** Calls `take` with what was dropped or pasted; true while something is held over the page. */
export function useDrops(take: (data: DataTransfer | null) => void): boolean {
  const [over, setOver] = useState(false);

  useEffect(() => {
    const ending = new AbortController();
    const { signal } = ending;
    const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes('Files') ?? false;
    addEventListener(
      'dragover',
      (event) => {
        event.preventDefault();
        setOver(hasFiles(event));
      },
      { signal },
    );
    addEventListener('dragleave', ({ relatedTarget }) => relatedTarget === null && setOver(false), { signal });
    addEventListener(
      'drop',
      (event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer);
      },
      { signal },
    );
    addEventListener(
      'paste',
      ({ target, clipboardData }) => {
        if (!(target instanceof HTMLInputElement)) take(clipboardData);
      },
      { signal },
    );
    return () => ending.abort();
  }, [take]);

  return over;
}
