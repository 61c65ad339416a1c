/** All models of a server by name and version, and their exchange while it runs: a new version is opened, compiled and
 *  timed beside the old one; then one assignment makes it the current. Requests under way keep the one that they began with. */

import type { OpenClassifier } from './classifier.ts';
import { ServeError } from './errors.ts';
import { Servable } from './servable.ts';
import { type FoundVersion, findVersions } from './versions.ts';

/** A model to serve: a run, an exported file, or a folder of numbered versions of either. */
export interface ModelSource {
  readonly name: string;
  readonly path: string;
}

export interface StoreOptions {
  readonly sources: readonly ModelSource[];
  readonly open: OpenClassifier;
  readonly maxBatch: number;
  /** The newest versions that are served at once. */
  readonly keep: number;
  /** What happens to versions, for the log and metrics. */
  readonly onEvent?: (event: StoreEvent) => void;
}

export type StoreEvent =
  | { readonly kind: 'loaded' | 'retired'; readonly servable: Servable }
  | { readonly kind: 'failed'; readonly name: string; readonly version: number; readonly error: unknown };

/** As TensorFlow Serving calls the states. */
export interface VersionStatus {
  readonly version: number;
  readonly state: 'AVAILABLE' | 'LOADING' | 'END';
  /** Why it is not available; empty where it is. */
  readonly message: string;
}

interface Loaded {
  readonly servable: Servable;
  readonly fingerprint: string;
}

interface Model {
  readonly source: ModelSource;
  readonly loaded: Map<number, Loaded>;
  /** Versions that could not be loaded, until their files change. */
  readonly failed: Map<number, { readonly fingerprint: string; readonly message: string }>;
  loading: number | undefined;
  /** What was there when it was looked at last: only what keeps still is loaded. */
  seen: ReadonlyMap<number, string>;
}

export class ModelStore {
  private readonly options: StoreOptions;
  private readonly models: ReadonlyMap<string, Model>;
  private refreshing: Promise<void> | undefined;

  constructor(options: StoreOptions) {
    this.options = options;
    this.models = new Map(
      options.sources.map((source) => [
        source.name,
        { source, loaded: new Map(), failed: new Map(), loading: undefined, seen: new Map() },
      ]),
    );
  }

  /**
   * Opens the newest versions of every model.
   *
   * @throws what the first model without a usable version threw
   */
  async start(): Promise<void> {
    for (const model of this.models.values()) {
      const found = await findVersions(model.source.path);
      const errors: unknown[] = [];
      for (const version of found.slice(0, this.options.keep)) {
        await this.load(model, version).catch((error: unknown) => errors.push(error));
      }
      if (model.loaded.size > 0) continue;
      if (errors.length > 0) throw errors[0];
      // Nothing is there: opening it says so in its own words.
      (await this.options.open(model.source.path)).dispose();
      throw new ServeError(404, `${model.source.path}: has no version`);
    }
  }

  get names(): readonly string[] {
    return [...this.models.keys()];
  }

  /** The versions that can be asked for, the newest first. */
  versions(name: string): readonly Servable[] {
    const { loaded } = this.model(name);
    return [...loaded.values()].map(({ servable }) => servable).sort((a, b) => b.version - a.version);
  }

  status(name: string): readonly VersionStatus[] {
    const { loaded, failed, loading } = this.model(name);
    const statuses = new Map<number, VersionStatus>();
    for (const [version, { message }] of failed) statuses.set(version, { version, state: 'END', message });
    if (loading !== undefined) statuses.set(loading, { version: loading, state: 'LOADING', message: '' });
    for (const version of loaded.keys()) statuses.set(version, { version, state: 'AVAILABLE', message: '' });
    return [...statuses.values()].sort((a, b) => b.version - a.version);
  }

  /**
   * A version for one request, or the newest.
   *
   * @param name default: the first model
   * @returns the version, which stays until `release` is called
   * @throws ServeError 404
   */
  acquire(name = this.names[0] ?? '', version?: number): { readonly servable: Servable; readonly release: () => void } {
    const versions = this.versions(name);
    const servable = version === undefined ? versions[0] : versions.find((one) => one.version === version);
    if (!servable) {
      const there = versions.map((one) => one.version).join(', ');
      throw new ServeError(404, `model ${name} has no version ${version}; it has ${there || 'none'}`);
    }
    return { servable, release: servable.use() };
  }

  /** Looks at the files of all models, loads what is new and retires what is old. One at a time; never throws. */
  refresh(): Promise<void> {
    this.refreshing ??= (async () => {
      for (const model of this.models.values()) await this.refreshModel(model);
    })().finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  /** Lets go of all models, once those who use them are done. */
  async close(): Promise<void> {
    await this.refreshing;
    for (const { loaded } of this.models.values()) {
      for (const { servable } of loaded.values()) servable.retire();
      loaded.clear();
    }
  }

  private model(name: string): Model {
    const model = this.models.get(name);
    if (!model) throw new ServeError(404, `there is no model '${name}'; there are ${this.names.join(', ')}`);
    return model;
  }

  private async refreshModel(model: Model): Promise<void> {
    const { keep } = this.options;
    const found = await findVersions(model.source.path).catch(() => []);
    const before = model.seen;
    model.seen = new Map(found.map(({ version, fingerprint }) => [version, fingerprint]));
    for (const version of [...model.failed.keys()]) if (!model.seen.has(version)) model.failed.delete(version);
    for (const one of found.slice(0, keep)) {
      const { version, fingerprint } = one;
      const known = [model.loaded.get(version)?.fingerprint, model.failed.get(version)?.fingerprint];
      if (known.includes(fingerprint) || before.get(version) !== fingerprint) continue;
      await this.load(model, one).catch(() => {}); // told by its event
    }
    this.retireOld(model, keep);
  }

  private async load(model: Model, { version, path, fingerprint }: FoundVersion): Promise<void> {
    const { open, maxBatch, onEvent } = this.options;
    const { name } = model.source;
    model.loading = version;
    try {
      const servable = await Servable.start(name, version, await open(path), maxBatch);
      const old = model.loaded.get(version);
      model.loaded.set(version, { servable, fingerprint });
      model.failed.delete(version);
      onEvent?.({ kind: 'loaded', servable });
      if (old) this.retire(old.servable);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      model.failed.set(version, { fingerprint, message });
      onEvent?.({ kind: 'failed', name, version, error });
      throw error;
    } finally {
      model.loading = undefined;
    }
  }

  /** Keeps the newest; versions whose files are gone go first, but the last one of a model stays in any case. */
  private retireOld({ loaded, seen }: Model, keep: number): void {
    const newest = [...loaded.keys()].sort((a, b) => Number(seen.has(b)) - Number(seen.has(a)) || b - a);
    for (const [place, version] of newest.entries()) {
      const one = loaded.get(version);
      if (!one || place === 0 || (place < keep && seen.has(version))) continue;
      loaded.delete(version);
      this.retire(one.servable);
    }
  }

  private retire(servable: Servable): void {
    servable.retire();
    this.options.onEvent?.({ kind: 'retired', servable });
  }
}
