/** The whole page: a picture on the left, what the model makes of it on the right; one below the other on a phone. */

import { useCallback, useRef, useState } from 'preact/hooks';
import type { Model } from './api.ts';
import { Camera } from './camera.tsx';
import { forget, openPicture, type Picture, pictureIn } from './picture.ts';
import { many, Results } from './results.tsx';
import { Sources } from './sources.tsx';
import { Stage } from './stage.tsx';
import { Token } from './token.tsx';
import { useAnswer } from './use-answer.ts';
import { useDrops } from './use-drops.ts';
import { useModels } from './use-models.ts';
import { percent } from './words.ts';

export function App() {
  const [token, setToken] = useState('');
  const { models, model, fitting, choose, problem: modelsProblem, locked } = useModels(token);
  const [picture, setPicture] = useState<Picture>();
  const [className, setClassName] = useState<string>();
  const [problem, setProblem] = useState('');
  const [camera, setCamera] = useState(false);
  const [showHeat, setShowHeat] = useState(true);
  const [strength, setStrength] = useState(0.75);
  const last = useRef<Picture>(undefined);

  const explain = model?.explains !== false;
  const asked = useAnswer({ picture, model: model?.name, explain, className, top: many, token });
  const { answer } = asked;
  const heat = answer?.heatmap;

  const open = useCallback(async (blob: Blob, name: string) => {
    setCamera(false);
    try {
      const next = await openPicture(blob, name);
      if (last.current !== undefined) forget(last.current);
      last.current = next;
      setClassName(undefined);
      setProblem('');
      setPicture(next);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }, []);
  const dropping = useDrops(
    useCallback(
      (data) => {
        const file = pictureIn(data);
        if (file !== undefined) void open(file, file.name);
        else setProblem('There was no picture in it. A picture of another page must be saved first.');
      },
      [open],
    ),
  );

  const trouble = problem || modelsProblem || asked.problem;
  const sources = <Sources onFile={open} onProblem={setProblem} onCamera={() => setCamera(true)} />;
  return (
    <>
      <header>
        <h1>
          <img src="./icon.svg" alt="" width="32" height="32" />
          What does the model see?
        </h1>
        {models.length > 0 && (
          <label class="model">
            <span>Model</span>
            <select
              value={model?.name}
              onChange={({ currentTarget }) => {
                choose(currentTarget.value);
                setClassName(undefined);
              }}
            >
              {models.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )}
      </header>
      <main class={picture === undefined ? 'waiting' : ''}>
        <section aria-label="Picture" class="left">
          <Stage
            picture={picture}
            fitting={fitting}
            heat={showHeat ? heat : undefined}
            strength={strength}
            busy={asked.busy}
          >
            {sources}
          </Stage>
          {picture !== undefined && (
            <div class="below">
              {heat === undefined && answer !== undefined && !explain && (
                <p class="aside">An exported file cannot say why; the run that it was made of can.</p>
              )}
              {heat !== undefined && (
                <div class="controls">
                  <label class="switch">
                    <input
                      type="checkbox"
                      checked={showHeat}
                      onChange={({ currentTarget }) => setShowHeat(currentTarget.checked)}
                    />
                    Heat map
                  </label>
                  <label class="strength">
                    <span>Strength</span>
                    <input
                      type="range"
                      min="0"
                      max="1"
                      step="0.05"
                      value={strength}
                      disabled={!showHeat}
                      aria-valuetext={`${Math.round(100 * strength)} percent`}
                      onInput={({ currentTarget }) => setStrength(Number(currentTarget.value))}
                    />
                  </label>
                  {answer?.class !== undefined && <p class="caption">Bright is what speaks for {answer.class}.</p>}
                </div>
              )}
              {sources}
            </div>
          )}
        </section>
        <section aria-label="Answer" class={asked.busy ? 'right busy' : 'right'}>
          {trouble !== '' && (
            <p class="trouble" role="alert">
              {trouble}
            </p>
          )}
          {locked && <Token onToken={setToken} />}
          {answer !== undefined && (
            <Results
              answer={answer}
              waited={asked.waited}
              total={model?.classes.length ?? answer.classes.length}
              explained={answer.class}
              onExplain={heat && setClassName}
            />
          )}
          {answer === undefined && trouble === '' && !locked && <About model={model} asking={asked.busy} />}
        </section>
      </main>
      <p class="unseen" role="status">
        {asked.busy ? '' : spoken(asked.answer?.classes)}
      </p>
      {dropping && <div class="dropping">Let go to look at it</div>}
      {camera && <Camera onPicture={(blob) => open(blob, 'from the camera')} onClose={() => setCamera(false)} />}
    </>
  );
}

/** Before there is an answer: what the model knows. */
function About({ model, asking }: { readonly model: Model | undefined; readonly asking: boolean }) {
  if (asking) return <p class="aside">Looking …</p>;
  if (model === undefined) return null;
  const { classes } = model;
  const shown = classes.slice(0, 24);
  return (
    <div class="about">
      <h2>{`It tells ${classes.length} classes apart`}</h2>
      <ul>
        {shown.map((name) => (
          <li key={name}>{name}</li>
        ))}
        {classes.length > shown.length && <li class="aside">{`and ${classes.length - shown.length} more`}</li>}
      </ul>
      <p class="aside">Pictures go to this server only, and are not kept.</p>
    </div>
  );
}

function spoken(classes: readonly { readonly name: string; readonly probability: number }[] = []): string {
  const [best, ...others] = classes.slice(0, 3).map(({ name, probability }) => `${name}, ${percent(probability)}`);
  return best === undefined ? '' : `The model sees ${best}${others.length > 0 ? `; then ${others.join('; ')}` : ''}.`;
}
