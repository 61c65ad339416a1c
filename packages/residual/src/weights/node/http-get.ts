/** One GET with Node's own http: redirects followed within bounds, proxies honoured, silence ended.
 *  What comes back is the answer's head and its body as a stream; nothing is kept in memory. */

import * as http from 'node:http';
import * as https from 'node:https';
import { WeightsError } from '../errors.ts';
import { arriving } from './arriving.ts';
import { networkError, shownUrl, Transient } from './network-errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a byte after which the attempt is given up. */
  readonly silence: number;
  /** Names the proxies: HTTP_PROXY, HTTPS_PROXY, NO_PROXY, in capitals or not. */
  readonly env: Environment;
}

/** What a server says of the file itself, on the way to it. */
export interface Announced {
  readonly sha256?: string;
  readonly size?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Ends with a `Transient` when the connection breaks or falls silent. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Where the redirects led. */
  readonly url: URL;
  readonly announced: Announced;
  /** Lets go of the connection, body read or not. */
  close(): void;
}

const MOST_REDIRECTS = 8;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * @throws Transient, WeightsError; the signal's reason when it is aborted
 */
export async function get(start: URL, options: GetOptions): Promise<Answer> {
  let announced: Announced = {};
  let url = start;
  for (let redirects = 0; ; redirects++) {
    const answer = await once(url, options);
    announced = { ...announced, ...announcedBy(answer.headers) };
    const { location } = answer.headers;
    if (!REDIRECTS.includes(answer.status) || location === undefined) return { ...answer, announced };
    answer.close();
    if (redirects === MOST_REDIRECTS) {
      throw new WeightsError(`${shownUrl(start)} leads from one address to the next more than ${MOST_REDIRECTS} times`);
    }
    url = redirected(url, location);
  }
}

/** Only to the web, and never from a safe connection to an open one. */
export function redirected(from: URL, location: string): URL {
  const to = URL.parse(location, from.href);
  const allowed = from.protocol === 'https:' ? ['https:'] : ['https:', 'http:'];
  if (to === null || !allowed.includes(to.protocol)) {
    throw new WeightsError(
      `${shownUrl(from)} leads to ${to === null ? 'no address' : `a ${to.protocol} address`}, which is not followed`,
    );
  }
  return to;
}

/** huggingface.co states the checksum and size of what lies behind its redirect. */
function announcedBy(headers: http.IncomingHttpHeaders): Announced {
  const sha256 = String(headers['x-linked-etag'] ?? '').replace(/^(?:W\/)?"|"$/g, '');
  const size = String(headers['x-linked-size'] ?? '');
  return {
    ...(/^[0-9a-f]{64}$/i.test(sha256) ? { sha256: sha256.toLowerCase() } : {}),
    ...(/^\d{1,15}$/.test(size) ? { size: Number(size) } : {}),
  };
}

function once(url: URL, options: GetOptions): Promise<Omit<Answer, 'announced'>> {
  const { signal, silence } = options;
  const { request, Agent } = url.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: false, proxyEnv: options.env });
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      agent,
      // Lengths and places are those of the file itself.
      headers: { 'user-agent': 'residual', accept: '*/*', 'accept-encoding': 'identity', ...options.headers },
    });
    let head: http.IncomingMessage | undefined;
    const stop = (error: unknown) => (head ?? sent).destroy(error as Error);
    const aborted = () => stop(signal?.reason);
    const timer = setTimeout(() => {
      stop(new Transient(`${url.host} has said nothing for ${Math.round(silence / 100) / 10} s`));
    }, silence);
    let closed = false;
    const heard = () => {
      if (!closed) timer.refresh(); // it would wake a cleared one up again
    };
    const close = () => {
      closed = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      sent.destroy();
      agent.destroy();
    };
    const failure = (error: unknown) => (signal?.aborted ? signal.reason : networkError(error, url, options.env));
    signal?.addEventListener('abort', aborted);
    if (signal?.aborted) aborted();

    async function* body(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of bytes) {
          yield chunk;
          heard(); // writing it may have taken long
        }
      } catch (error) {
        throw failure(error);
      } finally {
        close();
      }
    }
    sent.on('response', (response) => {
      heard();
      head = response;
      const { statusCode = 0, headers } = response;
      const bytes = arriving(response, heard);
      resolve({ status: statusCode, headers, body: body(bytes), url, close });
    });
    // After the answer's head the same errors come through its body, which may be unread by then.
    sent.on('error', (error) => {
      close();
      reject(failure(error));
    });
    sent.end();
  });
}
