/** Bundles a module of this repository for a page, from the TypeScript sources, as a user's bundler would. */
import { build, type Plugin } from 'esbuild';

export interface BundleOptions {
  readonly minify?: boolean;
  /** Modules to take in place of others, e.g. for `node:assert/strict`. */
  readonly alias?: Readonly<Record<string, string>>;
  readonly plugins?: readonly Plugin[];
}

export interface Bundle {
  readonly code: string;
  /** Bytes of the bundle by the file that they come from. */
  readonly inputs: Readonly<Record<string, number>>;
}

/** `contents` is an ES module; its relative imports start from `folder`. Throws where anything of Node's is imported. */
export async function bundleForPage(contents: string, folder: string, options: BundleOptions = {}): Promise<Bundle> {
  const { minify = false, alias = {}, plugins = [] } = options;
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: folder, sourcefile: 'bundle-entry.ts', loader: 'ts' },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    minify,
    alias: { ...alias },
    plugins: [...plugins],
    logLevel: 'silent',
  });
  const [{ inputs }] = Object.values(metafile.outputs);
  const bytes = Object.entries(inputs).map(([file, { bytesInOutput }]) => [file, bytesInOutput] as const);
  return { code: outputFiles[0].text, inputs: Object.fromEntries(bytes) };
}
