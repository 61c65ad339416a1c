/**
 * Bundles TensorFlow.js's own test suite, as npm ships it inside `@tensorflow/tfjs-core`, with one backend.
 * One bundle holds one copy of tfjs-core, so that the suite's private imports and the backend meet in one engine.
 */
import { build } from 'esbuild';

/** The backends that the suite can run on, and the module that registers each. */
const MODULES = {
  cpu: '@tensorflow/tfjs-backend-cpu',
  jit: '../packages/tfjs-backend-jit/src/index.ts',
} as const;

export type BackendName = keyof typeof MODULES;

export const BACKENDS = Object.keys(MODULES) as readonly BackendName[];

/** Some of the suite's modules are CommonJS. */
const REQUIRE =
  "import { createRequire as createRequireOfSuite } from 'node:module'; const require = createRequireOfSuite(import.meta.url);";

export interface SuiteOptions {
  /** For a page instead of Node. */
  readonly page?: boolean;
  /** A module that is loaded before the suite declares its specs. */
  readonly first?: string;
}

/** Writes an ES module to `outfile` that declares every spec of the suite for `backend`, for jasmine's globals. */
export async function bundleSuite(backend: BackendName, outfile: string, options: SuiteOptions = {}): Promise<void> {
  const { page = false, first } = options;
  const core = '@tensorflow/tfjs-core/dist';
  // The suite's modules declare specs while they load, so the order of these imports matters.
  const entry = `
    ${first === undefined ? '' : `import '${first}';`}
    import '${core}/index.js';
    import '${core}/public/chained_ops/register_all_chained_ops.js';
    import '${core}/register_all_gradients.js';
    import '${MODULES[backend]}';
    import 'test-env';
    import '${core}/tests.js';`;
  const testEnv = `
    import { setTestEnvs } from '${core}/jasmine_util.js';
    setTestEnvs([{ name: '${backend}', backendName: '${backend}', isDataSync: true }]);`;
  await build({
    stdin: { contents: entry, resolveDir: import.meta.dirname, sourcefile: 'suite.js' },
    outfile,
    bundle: true,
    platform: page ? 'browser' : 'node',
    format: 'esm',
    mainFields: page ? ['browser', 'module', 'main'] : ['module', 'main'],
    // tfjs-core calls most of its modules free of side effects; to believe that would drop all but 74 specs.
    ignoreAnnotations: true,
    external: page ? [] : ['jasmine-core/*', 'jasmine-core'],
    logLevel: 'error',
    ...(page ? {} : { banner: { js: REQUIRE } }),
    plugins: [
      {
        name: 'test-env',
        setup(build) {
          build.onResolve({ filter: /^test-env$/ }, () => ({ path: 'test-env', namespace: 'test-env' }));
          build.onLoad({ filter: /.*/, namespace: 'test-env' }, () => ({
            contents: testEnv,
            resolveDir: import.meta.dirname,
          }));
        },
      },
    ],
  });
}
