/** `JIT_DEBUG=graph|passes|plan|wasm|time` (several by comma) prints that stage to stderr. */
import { env } from './wasm/features.ts';

const STAGES = ['graph', 'passes', 'plan', 'wasm', 'time'] as const;
export type Stage = (typeof STAGES)[number];

const chosen = new Set<Stage>();
for (const word of (env('JIT_DEBUG') ?? '').split(',').filter(Boolean)) {
  const stage = STAGES.find((s) => s === word);
  if (stage) chosen.add(stage);
  else console.warn(`JIT_DEBUG: unknown stage "${word}"; the stages are ${STAGES.join(', ')}`);
}

function print(stage: Stage, text: () => string): void {
  if (chosen.has(stage)) console.error(`── ${stage} ${'─'.repeat(70 - stage.length)}\n${text()}`);
}

/**
 * Prints a stage if it was asked for; `text` is only called then. `debug.timed`: programs carry time stamps;
 * `debug.any`: something was asked for, so that programs which need no compiler go through it, too.
 */
export const debug: typeof print & { readonly timed: boolean; readonly any: boolean } = Object.assign(print, {
  timed: chosen.has('time'),
  any: chosen.size > 0,
});
