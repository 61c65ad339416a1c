/** The models that the server offers, and the one that is chosen. */

import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiError, type Fitting, fittingOf, listModels, type Model } from './api.ts';

export interface Models {
  readonly models: readonly Model[];
  readonly model: Model | undefined;
  /** Of the chosen model; undefined until it is known. */
  readonly fitting: Fitting | undefined;
  readonly choose: (name: string) => void;
  readonly problem: string;
  /** The server wants a token first. */
  readonly locked: boolean;
}

export function useModels(token: string): Models {
  const [models, setModels] = useState<readonly Model[]>([]);
  const [chosen, choose] = useState('');
  const [problem, setProblem] = useState('');
  const [locked, setLocked] = useState(false);

  const load = useCallback(async () => {
    try {
      const found = await listModels(token);
      setModels(found);
      setLocked(false);
      setProblem(found.length === 0 ? 'The server has no model yet.' : '');
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      setLocked(refused);
      setProblem(refused ? (token === '' ? '' : 'This token is not accepted.') : String((error as Error).message));
    }
  }, [token]);

  useEffect(() => void load(), [load]);

  const model = models.find(({ name }) => name === chosen) ?? models[0];
  const name = model?.name;
  const [fitting, setFitting] = useState<Fitting>();
  useEffect(() => {
    let over = false;
    setFitting(undefined);
    if (name === undefined) return;
    // Without it the map is laid over the whole picture.
    const known = fittingOf(name, token).catch(() => undefined);
    void known.then((found) => over || setFitting(found));
    return () => {
      over = true;
    };
  }, [name, token]);
  return { models, model, fitting, choose, problem, locked };
}
