/** What the page asks of its server: which models there are, and what one makes of a picture.
 *  Addresses are relative to the page, so that nothing ever goes to another origin. */

import type { Heat } from '../src/explain/paint.ts';
import type { Preprocessing } from '../src/models/info.ts';

export interface Model {
  readonly name: string;
  readonly versions: readonly (string | number)[];
  /** Their names, in the order of the outputs. */
  readonly classes: readonly string[];
  /** False where it cannot be explained, as an exported file. */
  readonly explains?: boolean;
}

/** How a model brings pictures to its size: where a heat map belongs. */
export type Fitting = Pick<Preprocessing, 'inputShape' | 'resize' | 'crop'>;

export interface Answer {
  readonly model: string;
  readonly version?: string | number;
  /** The most probable first. */
  readonly classes: readonly { readonly name: string; readonly probability: number }[];
  /** Time that the server needed. */
  readonly milliseconds?: number;
  /** The class that the heat map explains. */
  readonly class?: string;
  readonly heatmap?: Heat;
}

/** A refusal in words that a person can read. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function listModels(token: string): Promise<readonly Model[]> {
  const { models } = (await ask('v1/models', token)) as { readonly models: readonly Model[] };
  return models;
}

/** How `model` prepares pictures, from the metadata of TensorFlow Serving's protocol. */
export async function fittingOf(model: string, token: string): Promise<Fitting | undefined> {
  const { metadata } = (await ask(`${addressOf(model)}/metadata`, token)) as {
    readonly metadata?: { readonly residual?: { readonly preprocessing?: Fitting } };
  };
  return metadata?.residual?.preprocessing;
}

export interface Question {
  readonly model: string;
  readonly picture: Blob;
  /** Ask for a heat map of this class, or of the most probable one. */
  readonly explain: boolean;
  readonly className?: string | undefined;
  /** How many classes to name. */
  readonly top: number;
  readonly token: string;
  readonly signal: AbortSignal;
}

export async function classify(question: Question): Promise<Answer> {
  const { model, picture, explain, className, top, token, signal } = question;
  const query = new URLSearchParams({ top: String(top) });
  if (!explain) query.set('model', model);
  else if (className !== undefined) query.set('class', className);
  const path = explain ? `${addressOf(model)}:explain` : 'v1/classify';
  const headers = { 'Content-Type': picture.type || 'application/octet-stream' };
  return (await ask(`${path}?${query}`, token, { method: 'POST', body: picture, headers, signal })) as Answer;
}

const addressOf = (model: string) => `v1/models/${encodeURIComponent(model)}`;

async function ask(path: string, token: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
  const headers = { ...init.headers, ...(token === '' ? {} : { Authorization: `Bearer ${token}` }) };
  const response = await fetch(new URL(path, document.baseURI), { ...init, headers }).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, 'The server does not answer. Is it still running?');
  });
  const text = await response.text();
  const body = parsed(text);
  if (response.ok && body !== undefined) return body;
  throw new ApiError(response.status, explained(response, body));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function explained(response: Response, body: unknown): string {
  const { error, message } = (body ?? {}) as { readonly error?: unknown; readonly message?: unknown };
  const said = [error, (error as { message?: unknown } | undefined)?.message, message].find(
    (one) => typeof one === 'string',
  );
  const wait = Number(response.headers.get('Retry-After'));
  if (response.status === 429 || response.status === 503) {
    return `The server is busy; try again in ${wait > 0 ? `${wait} s` : 'a moment'}.`;
  }
  return said ?? `The server answers with ${response.status} ${response.statusText}`.trim();
}
