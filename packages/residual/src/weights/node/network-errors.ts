/** What went wrong on the network, in words, and whether it is worth trying again.
 *  Proxies and passwords in URLs are never shown. */

import { WeightsError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A failure that another attempt may not meet. */
export class Transient extends Error {
  override readonly name = 'Transient';
  /** Milliseconds that the server asks to wait. */
  readonly wait: number | undefined;
  /** Nothing was reached at all: without a network, trying again only wastes time. */
  readonly unreachable: boolean;

  constructor(
    reason: string,
    options: ErrorOptions & { readonly wait?: number | undefined; readonly unreachable?: boolean } = {},
  ) {
    super(reason, options);
    this.wait = options.wait;
    this.unreachable = options.unreachable ?? false;
  }
}

const broken: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was dropped',
  EPIPE: 'the connection was dropped',
  ECONNABORTED: 'the connection was dropped',
  ETIMEDOUT: 'the connection timed out',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection was dropped',
};

const unreachable: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up',
  ECONNREFUSED: 'the connection is refused',
  ENETUNREACH: 'there is no way to it',
  EHOSTUNREACH: 'there is no way to it',
  ENETDOWN: 'the network is down',
  EADDRNOTAVAIL: 'the network is down',
};

/** Puts an error of Node's http into a `Transient` or, where no attempt can help, a `WeightsError`. */
export function networkError(error: unknown, url: URL, env: Environment = {}): Error {
  if (error instanceof WeightsError || error instanceof Transient) return error;
  // `connect()` to a name with several addresses fails with all of their errors.
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const { code = '', message } = first as NodeJS.ErrnoException;
  const { host } = url;
  if (code in broken) return new Transient(broken[code] ?? '', { cause: error });
  if (code in unreachable) {
    return new Transient(`${host} cannot be reached: ${unreachable[code]}`, { cause: error, unreachable: true });
  }
  if (code === 'ERR_PROXY_TUNNEL' || code === 'ERR_PROXY_INVALID_CONFIG') {
    const note = proxyNote(url, env);
    return new WeightsError(
      `the proxy does not lead to ${host}: ${firstLine(message)}${note === undefined ? '' : ` (${note})`}`,
      { cause: error },
    );
  }
  if (/CERT|SIGNATURE|ISSUER|SELF_SIGNED|ALTNAME/.test(code)) {
    return new WeightsError(`the certificate of ${host} is not trusted (${code})`, {
      cause: error,
      hint: 'where a company checks all traffic, NODE_EXTRA_CA_CERTS=FILE names its own certificates',
    });
  }
  if (code.startsWith('HPE_')) return new Transient(`${host} does not speak HTTP (${code})`, { cause: error });
  return new Transient(`${host}: ${firstLine(message)}${code === '' ? '' : ` (${code})`}`, { cause: error });
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** A URL for messages and for files: without user, password, and what may be a secret in its query. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** The proxy that the environment names for URLs of this kind, for messages. */
export function proxyNote(url: URL, env: Environment): string | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const value = env[name.toLowerCase()] || env[name];
  if (value === undefined || value === '') return undefined;
  const proxy = URL.parse(value);
  return `${name} is ${proxy === null ? 'no URL' : `${proxy.protocol}//${proxy.host}`}`;
}
