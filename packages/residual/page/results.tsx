/** What the model says of the picture: the classes with their probabilities, the time it took, and which class the
 *  heat map explains. */

import { useState } from 'preact/hooks';
import type { Answer } from './api.ts';
import { certainty, duration, percent } from './words.ts';

export interface ResultsProps {
  readonly answer: Answer;
  /** How many classes the model has. */
  readonly total: number;
  /** Time until the answer was here, in ms. */
  readonly waited: number;
  /** Asks for the heat map of a class; absent where the server explains the most probable one only. */
  readonly onExplain: ((name: string) => void) | undefined;
  readonly explained: string | undefined;
}

/** Classes that are shown at once, and at most. */
const few = 5;
export const many = 25;

export function Results({ answer, total, waited, onExplain, explained }: ResultsProps) {
  const [all, setAll] = useState(false);
  const [best] = answer.classes;
  if (best === undefined) return null;
  const shown = answer.classes.slice(0, all ? many : few);
  const more = total <= many ? `Show all ${total} classes` : `Show ${many} of ${total} classes`;
  return (
    <>
      <p class="certainty">{certainty(best.probability)}</p>
      <h2 class="best">{best.name}</h2>
      <ol class="classes">
        {shown.map(({ name, probability }) => (
          <Row key={name} name={name} probability={probability} explained={name === explained} onExplain={onExplain} />
        ))}
      </ol>
      {answer.classes.length > few && (
        <button type="button" class="quiet" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : more}
        </button>
      )}
      <dl class="facts">
        {answer.milliseconds !== undefined && (
          <div>
            <dt>Server</dt>
            <dd>{duration(answer.milliseconds)}</dd>
          </div>
        )}
        <div>
          <dt>There and back</dt>
          <dd>{duration(waited)}</dd>
        </div>
        <div>
          <dt>Model</dt>
          <dd>
            {answer.model}
            {answer.version !== undefined && `, version ${answer.version}`}
          </dd>
        </div>
      </dl>
    </>
  );
}

interface RowProps {
  readonly name: string;
  readonly probability: number;
  readonly explained: boolean;
  readonly onExplain: ((name: string) => void) | undefined;
}

function Row({ name, probability, explained, onExplain }: RowProps) {
  const content = (
    <>
      <span class="name">{name}</span>
      <span class="share">{percent(probability)}</span>
      <span class="bar" aria-hidden="true">
        <span style={{ width: `${100 * probability}%` }} />
      </span>
    </>
  );
  if (onExplain === undefined) return <li class="row">{content}</li>;
  return (
    <li>
      <button
        type="button"
        class="row"
        aria-pressed={explained}
        title={`Show what speaks for ${name}`}
        onClick={() => onExplain(name)}
      >
        {content}
      </button>
    </li>
  );
}
