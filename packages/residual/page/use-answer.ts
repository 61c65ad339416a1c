/** Asks the server about the picture, again whenever picture, model or explained class change.
 *  An answer that comes too late, for an earlier question, is thrown away. */

import { useEffect, useState } from 'preact/hooks';
import { type Answer, classify } from './api.ts';
import type { Picture } from './picture.ts';

export interface Asked {
  readonly answer: Answer | undefined;
  /** From the question to the answer, in ms. */
  readonly waited: number;
  readonly busy: boolean;
  readonly problem: string;
}

const nothing: Asked = { answer: undefined, waited: 0, busy: false, problem: '' };

export interface AskOptions {
  readonly picture: Picture | undefined;
  readonly model: string | undefined;
  readonly explain: boolean;
  readonly className: string | undefined;
  readonly top: number;
  readonly token: string;
}

export function useAnswer({ picture, model, explain, className, top, token }: AskOptions): Asked {
  const [asked, setAsked] = useState<Asked>(nothing);

  useEffect(() => {
    if (picture === undefined || model === undefined) {
      setAsked(nothing);
      return;
    }
    const asking = new AbortController();
    const { signal } = asking;
    const start = performance.now();
    // What was said stays, faded, until the new answer is there.
    setAsked((before) => ({ ...before, busy: true, problem: '' }));
    classify({ model, picture: picture.blob, explain, className, top, token, signal }).then(
      (answer) => {
        if (!signal.aborted) setAsked({ answer, waited: performance.now() - start, busy: false, problem: '' });
      },
      (error: unknown) => {
        if (!signal.aborted) setAsked({ ...nothing, problem: error instanceof Error ? error.message : String(error) });
      },
    );
    return () => asking.abort();
  }, [picture, model, explain, className, top, token]);

  return asked;
}
