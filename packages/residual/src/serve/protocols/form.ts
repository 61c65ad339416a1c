/** Uploads by a form (multipart/form-data): the pictures in it, and the fields beside them, within the bounds of a request. */

import type { FastifyRequest } from 'fastify';
import { badRequest, ServeError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { SentPicture } from '../picture.ts';

export interface Form {
  readonly files: readonly { readonly file: string; readonly picture: SentPicture }[];
  readonly fields: Readonly<Record<string, string>>;
}

/** @throws ServeError 400 for a damaged or empty form, 413 for one that is too large; the signal's reason */
export async function readForm(request: FastifyRequest, limits: Limits, signal: AbortSignal): Promise<Form> {
  const { maxBody, queue } = limits;
  const files: { file: string; picture: SentPicture }[] = [];
  const fields: Record<string, string> = {};
  let bytes = 0;
  const tooLarge = () => new ServeError(413, `the body may have ${maxBody} bytes at most`);
  try {
    for await (const part of request.parts({
      limits: { fileSize: maxBody, files: queue, fields: 16, fieldSize: 1024, parts: queue + 16, headerPairs: 32 },
    })) {
      signal.throwIfAborted();
      if (part.type === 'field') {
        fields[part.fieldname] = String(part.value);
        continue;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of part.file as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > maxBody) throw tooLarge();
        chunks.push(chunk);
      }
      if (part.file.truncated) throw tooLarge();
      files.push({ file: part.filename, picture: { kind: 'file', bytes: Buffer.concat(chunks) } });
    }
  } catch (error) {
    throw asServeError(error, queue);
  }
  if (files.length === 0) throw badRequest('the form must hold a file at least; it holds none');
  return { files, fields };
}

function asServeError(error: unknown, most: number): unknown {
  if (error instanceof ServeError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'FST_FILES_LIMIT' || code === 'FST_PARTS_LIMIT') {
    return new ServeError(413, `a form may hold ${most} pictures at most`);
  }
  if (code === 'FST_REQ_FILE_TOO_LARGE') return new ServeError(413, message);
  // Busboy's own errors have no code.
  return badRequest(`the form is damaged: ${message}`);
}
