/** The models in memory: loaded when first asked for, replaced when another is published, let go when nobody uses them any more. */
import { PermanentError } from '#core/errors';
import { type Card, parseCard } from '#core/labels/card';
import { type ClassMap, classLookup, defaultClasses, parseClassMap } from '#core/labels/class-map';
import { naming, readJson, readObject } from '../documents.ts';
import { type Labeller, labellerOf } from '../labeller.ts';
import type { ServePorts } from './api-ports.ts';
import type { ModelPlace } from './model-source.ts';
import { Problem } from './problem.ts';

/** A model with the names its classes have now. */
export interface ServedModel {
  readonly name: string;
  readonly sha256: string;
  readonly card: Card;
  readonly labeller: Labeller;
  readonly classes: ClassMap;
  /** [label id] → class id (`classLookup`). */
  readonly lookup: Int32Array;
}

interface Loaded {
  model: ServedModel;
  readonly stamp: string;
  readonly prefix: string;
  classesTag: string | undefined;
  /** Requests that work with it. */
  users: number;
  /** No longer on the shelf: let go after the last user. */
  retired: boolean;
}

interface Slot {
  loaded: Loaded | undefined;
  /** When the store was last asked, in milliseconds. */
  checked: number;
  checking: Promise<void> | undefined;
}

/** Models held at once; the one used longest ago goes first. */
const mostModels = 4;

type ShelfPorts = Pick<ServePorts, 'models' | 'tuning' | 'digest' | 'clock' | 'source' | 'note'>;

export class ModelShelf {
  readonly #ports: ShelfPorts;
  readonly #recheck: number;
  readonly #default: string | undefined;
  /** By name, the one used last at the end. */
  readonly #slots = new Map<string, Slot>();
  #names: { readonly list: readonly string[]; readonly read: number } | undefined;

  /** @param recheckSeconds how old what is known may be */
  constructor(ports: ShelfPorts, { recheckSeconds, model }: { recheckSeconds: number; model?: string | undefined }) {
    this.#ports = ports;
    this.#recheck = recheckSeconds * 1000;
    this.#default = model;
  }

  /** Every published name. */
  async names(): Promise<readonly string[]> {
    const now = this.#ports.clock.now();
    if (!this.#names || now - this.#names.read >= this.#recheck) {
      this.#names = { list: await this.#ports.source.names(), read: now };
    }
    return this.#names.list;
  }

  /** The model of requests that name none. @throws Problem 503 if there is no model, 422 if there are several and none is preferred */
  async defaultName(): Promise<string> {
    if (this.#default !== undefined) return this.#default;
    const names = await this.names();
    if (names.length === 1) return names[0]!;
    if (names.length === 0) {
      throw new Problem('no-model', 'no model is published yet; a finished job publishes one', {
        headers: { 'retry-after': '60' },
      });
    }
    const some = names.slice(0, 10).join(', ');
    throw new Problem('unprocessable', `there are several models; name one as “model”: ${some}`);
  }

  /**
   * Works with a model; it stays loaded meanwhile, whatever is published.
   * @throws Problem 404 if there is no such model, 503 if it is the default and not published yet, or cannot be used
   */
  async use<T>(name: string | undefined, work: (model: ServedModel) => Promise<T>): Promise<T> {
    const loaded = await this.#current(name ?? (await this.defaultName()), name === undefined);
    loaded.users++;
    try {
      return await work(loaded.model);
    } finally {
      loaded.users--;
      await this.#letGoUnused(loaded);
    }
  }

  /** Lets go of everything. */
  async close(): Promise<void> {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    await Promise.all(slots.map(slot => this.#retire(slot)));
  }

  async #current(name: string, isDefault: boolean): Promise<Loaded> {
    const slot = this.#slots.get(name) ?? { loaded: undefined, checked: Number.NEGATIVE_INFINITY, checking: undefined };
    this.#slots.delete(name);
    this.#slots.set(name, slot);
    if (!slot.loaded || this.#ports.clock.now() - slot.checked >= this.#recheck) {
      slot.checking ??= this.#check(name, slot).finally(() => {
        slot.checking = undefined;
      });
      await slot.checking;
    }
    if (slot.loaded) return slot.loaded;
    this.#slots.delete(name);
    if (isDefault) {
      throw new Problem('no-model', `model ${name} is not published yet; a finished job publishes it`, {
        headers: { 'retry-after': '60' },
      });
    }
    throw new Problem('unknown-model', 'there is no model of this name; GET /v1/models lists them');
  }

  /** Brings the slot up to date. A model that cannot be loaded leaves the one before in its place. */
  async #check(name: string, slot: Slot): Promise<void> {
    const place = await this.#ports.source.find(name);
    slot.checked = this.#ports.clock.now();
    if (!place) return this.#retire(slot);
    try {
      if (slot.loaded?.stamp === place.stamp) return await this.#readClasses(slot.loaded);
      const loaded = await this.#load(name, place);
      await this.#retire(slot);
      slot.loaded = loaded;
      await this.#makeRoom(slot);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      if (!slot.loaded) throw new Problem('model-unusable', `model ${name}: ${error.message}`, { cause: error });
      this.#ports.note(`model ${name} stays as it was: ${error.message}`);
    }
  }

  async #load(name: string, { prefix, stamp, sha256: published }: ModelPlace): Promise<Loaded> {
    const { store } = this.#ports.source;
    const [cardKey, modelKey] = [`${prefix}card.json`, `${prefix}model.onnx`];
    const document = await readJson(store, cardKey);
    const card = naming(cardKey, () => parseCard(document));
    const bytes = await readObject(store, modelKey);
    const sha256 = this.#ports.digest.sha256(bytes);
    const wanted = published ?? card.hashes.model;
    if (wanted !== undefined && wanted !== sha256) {
      throw new PermanentError(`${modelKey} is not the file that was published (SHA-256 differs); publish it again`);
    }
    const { classes, tag } = await this.#classesOf(prefix, card);
    const labeller = await naming(modelKey, () => labellerOf(this.#ports, card, bytes));
    const model = { name, sha256, card, labeller, classes, lookup: classLookup(classes) };
    return { model, stamp, prefix, classesTag: tag, users: 0, retired: false };
  }

  /** Renamed classes need no other model. */
  async #readClasses(loaded: Loaded): Promise<void> {
    const head = await this.#ports.source.store.head(`${loaded.prefix}classes.json`);
    if (head?.etag === loaded.classesTag) return;
    const { classes, tag } = await this.#classesOf(loaded.prefix, loaded.model.card);
    loaded.classesTag = tag;
    loaded.model = { ...loaded.model, classes, lookup: classLookup(classes) };
  }

  async #classesOf(prefix: string, card: Card): Promise<{ classes: ClassMap; tag: string | undefined }> {
    const found = await this.#ports.source.store.getTagged(`${prefix}classes.json`);
    if (!found) return { classes: defaultClasses(card.clusters), tag: undefined };
    const file = `${prefix}classes.json`;
    const classes = parseClassMap(found.bytes, file);
    assertComplete(classes, card.clusters, file);
    return { classes, tag: found.etag };
  }

  async #makeRoom(keep: Slot): Promise<void> {
    for (const [name, slot] of this.#slots) {
      if (this.#slots.size <= mostModels) return;
      if (slot === keep || slot.checking) continue;
      this.#slots.delete(name);
      await this.#retire(slot);
    }
  }

  async #retire(slot: Slot): Promise<void> {
    const { loaded } = slot;
    if (!loaded) return;
    slot.loaded = undefined;
    loaded.retired = true;
    await this.#letGoUnused(loaded);
  }

  async #letGoUnused(loaded: Loaded): Promise<void> {
    if (loaded.retired && loaded.users === 0) await loaded.model.labeller.model.release();
  }
}

/** @throws PermanentError if pixels could get a label that no class holds */
function assertComplete(classes: ClassMap, clusters: number, file: string): void {
  const lookup = classLookup(classes);
  for (let label = 1; label <= clusters; label++) {
    if ((lookup[label] ?? -1) >= 0) continue;
    throw new PermanentError(
      `${file}: no class holds cluster ${label - 1}; add it to a class (with "ignore": true to leave it out)`,
    );
  }
}
