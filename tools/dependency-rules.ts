/**
 * Which folder of which package may import what, as data. `check-dependencies.ts` enforces it.
 * The order of the folders is the order in which the code is stacked, lowest first, not the order of the data.
 */

export interface PackageRules {
  /** Where the sources are, from the repository's root. */
  readonly sources: string;
  /**
   * Folders and files of `sources`, lowest first. Each may import itself and what stands before it. A file may stand
   * apart from its folder: `data/errors.ts` below `augment`, the rest of `data` above.
   */
  readonly layers: readonly string[];
  /** Files whose types are the contract between layers: every layer may name them by `import type`. */
  readonly contracts: readonly string[];
  /** Packages that only the named layers may import, though the package declares them. */
  readonly restricted: Readonly<Record<string, readonly string[]>>;
}

export const RULES: Readonly<Record<string, PackageRules>> = {
  'tfjs-backend-jit': {
    sources: 'packages/tfjs-backend-jit/src',
    layers: [
      'wasm',
      'debug.ts',
      'kernels',
      'graph',
      'passes',
      'schedule',
      'runtime',
      'memory',
      'record',
      'compile.ts',
      'direct',
      'device.ts',
      'values.ts',
      'runner.ts',
      'backend.ts',
      'index.ts',
    ],
    contracts: ['kernels/kernel.ts', 'memory/plan.ts', 'record/recording.ts', 'compile.ts', 'backend.ts'],
    // Nobody: a backend knows TensorFlow.js, never the library that is built on it.
    restricted: { residual: [] },
  },
  residual: {
    sources: 'packages/residual/src',
    layers: [
      'cli/nearest.ts',
      'weights/protobuf-writer.ts',
      'weights/crc32c.ts',
      'data/errors.ts',
      'data/random.ts',
      'augment',
      'data',
      'generator',
      'models',
      'train',
      'prune',
      'cluster',
      'evaluate',
      'explain',
      'doctor',
      'weights',
      'export/graph',
      'quantize',
      'export',
      'client',
      'serve',
      'lifecycle',
      'recipe',
      'tune',
      'browser.ts',
      'index.ts',
      'cli',
    ],
    contracts: ['data/dataset.ts', 'models/info.ts'],
    // The library works on any backend; only entry points choose one.
    restricted: { 'tfjs-backend-jit': ['cli'] },
  },
};
