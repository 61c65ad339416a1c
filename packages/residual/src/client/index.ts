/** A client of `residual serve` for browsers and Node, on `fetch` alone: `import { connect } from 'residual/client'`.
 *  It tries again where the server asks for it, and turns the server's errors into one type. */

import type { ClassifiedPicture, Explanation, ServedModel } from './types.ts';

export type { ClassifiedPicture, ClassProbability, Explanation, HeatMap, ServedModel } from './types.ts';

/** An encoded picture: a File or Blob of a page, or its bytes. */
export type ImageSource = Blob | ArrayBuffer | Uint8Array;

export interface ConnectOptions {
  /** The bearer token of a server that asks for one. */
  readonly token?: string;
  /** How often to try again when the server is full or cannot be reached. Default 2. */
  readonly retries?: number;
  /** Milliseconds after which a request is given up, all tries together. Default 60000. */
  readonly timeout?: number;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

export interface AskOptions {
  /** Default: the server's first. */
  readonly model?: string;
  /** Default: the newest. */
  readonly version?: number;
  /** How many classes, the most probable first. Default 5. */
  readonly top?: number;
  readonly signal?: AbortSignal;
}

export interface Client {
  /** The classes of a picture. */
  classify(picture: ImageSource, options?: AskOptions): Promise<ClassifiedPicture>;
  /** The same, with a map of where the network looked. */
  explain(picture: ImageSource, options?: AskOptions & { readonly class?: string }): Promise<Explanation>;
  /** The models that are served. */
  models(options?: Pick<AskOptions, 'signal'>): Promise<readonly ServedModel[]>;
}

/** What the server said no to; `status` 0 where it could not be reached. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/**
 * @param url where the server is, e.g. `http://127.0.0.1:8080`
 * @example
 * const server = connect('http://127.0.0.1:8080');
 * const { classes } = await server.classify(await readFile('cat.jpg'));
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Client {
  const ask = async <T>(path: string, query: object, picture?: ImageSource, signal?: AbortSignal): Promise<T> => {
    const address = new URL(path, String(url).replace(/\/?$/, '/'));
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) address.searchParams.set(name, String(value));
    }
    const headers: Record<string, string> = picture === undefined ? {} : { 'content-type': typeOf(picture) };
    if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
    const signals = [AbortSignal.timeout(options.timeout ?? 60_000), ...(signal ? [signal] : [])];
    const response = await send(address, {
      method: picture === undefined ? 'GET' : 'POST',
      headers,
      signal: AbortSignal.any(signals),
      ...(picture !== undefined && { body: picture as BodyInit }),
    });
    const answer = (await response.json().catch(() => ({}))) as T & { readonly error?: string };
    if (!response.ok) throw new ClientError(response.status, answer.error ?? `the server answered ${response.status}`);
    return answer;
  };

  /** Tries again after as long as the server says, or twice as long each time. */
  const send = async (address: URL, init: RequestInit & { readonly signal: AbortSignal }): Promise<Response> => {
    const { fetch: call = globalThis.fetch, retries = 2 } = options;
    for (let attempt = 0; ; attempt++) {
      let wait = 250 * 2 ** attempt;
      try {
        const response = await call(address, init);
        if ((response.status !== 503 && response.status !== 429) || attempt >= retries) return response;
        const seconds = Number(response.headers.get('retry-after'));
        if (seconds > 0) wait = seconds * 1000;
        await response.body?.cancel();
      } catch (cause) {
        init.signal.throwIfAborted();
        if (attempt >= retries) throw new ClientError(0, `${address.origin} cannot be reached`, { cause });
      }
      await delay(wait, init.signal);
    }
  };

  return {
    classify: (picture, { model, version, top, signal } = {}) =>
      ask('v1/classify', { model, version, top }, picture, signal),
    explain: async (picture, { model, version, top, signal, class: name } = {}) => {
      const chosen =
        model ?? (await ask<{ models: ServedModel[] }>('v1/models', {}, undefined, signal)).models[0]?.name;
      const at = version === undefined ? '' : `/versions/${version}`;
      return ask(`v1/models/${encodeURIComponent(chosen ?? '')}${at}:explain`, { top, class: name }, picture, signal);
    },
    models: async ({ signal } = {}) =>
      (await ask<{ models: ServedModel[] }>('v1/models', {}, undefined, signal)).models,
  };
}

function typeOf(picture: ImageSource): string {
  return picture instanceof Blob && picture.type.startsWith('image/') ? picture.type : 'application/octet-stream';
}

function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
  });
}
