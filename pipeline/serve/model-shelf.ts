/** The models in memory: loaded when first asked for, replaced when another is published, let go when nobody uses them any more. */
import { PermanentError } from '#core/errors';
import { type Card, parseCard } from '#core/labels/card';
import { type ClassMap, classLookup, defaultClasses, parseClassMap } from '#core/labels/class-map';
import { naming, readJson, readObject } from '../documents.ts';
import { type Labeller, labellerOf } from '../labeller.ts';
import type { ServePorts } from './api-ports.ts';
import type { ModelPlace } from './model-source.ts';
import { Problem } from './problem.ts';

/** What is known of a model without loading it. */
export interface ModelFacts {
  readonly name: string;
  readonly sha256: string;
  readonly card: Card;
  readonly classes: ClassMap;
}

/** A model with the names its classes have now. */
export interface ServedModel extends ModelFacts {
  readonly labeller: Labeller;
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
  /** What could not be loaded is not tried again all the time: it may be large. */
  refused: { readonly stamp: string; readonly time: number; readonly reason: Problem } | undefined;
}

/** How many times longer than usual a model that could not be loaded is left alone, unless another is published. */
const patience = 6;

/** Models held at once; the one used longest ago goes first. */
const mostModels = 4;

const emptySlot = (): Slot => ({
  loaded: undefined,
  checked: Number.NEGATIVE_INFINITY,
  checking: undefined,
  refused: undefined,
});

const unknownModel = () => new Problem('unknown-model', 'there is no model of this name; GET /v1/models lists them');

const unusable = (name: string, cause: PermanentError) =>
  new Problem('model-unusable', `model ${name}: ${cause.message}`, { cause });

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

  /** The model of requests that name none: the one asked for at the start, or the only one. */
  async preferredName(): Promise<string | undefined> {
    if (this.#default !== undefined) return this.#default;
    const names = await this.names();
    return names.length === 1 ? names[0] : undefined;
  }

  /** As `preferredName`. @throws Problem 503 if there is no model, 422 if there are several and none is preferred */
  async defaultName(): Promise<string> {
    const preferred = await this.preferredName();
    if (preferred !== undefined) return preferred;
    const names = await this.names();
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
    const loaded = await this.#taken(name ?? (await this.defaultName()), name === undefined);
    try {
      return await work(loaded.model);
    } finally {
      loaded.users--;
      await this.#letGoUnused(loaded);
    }
  }

  /** What is known of a model; it is not loaded for that. @throws Problem 404, or 503 if it cannot be used */
  async look(name: string): Promise<ModelFacts> {
    const slot = this.#slots.get(name);
    if (slot?.loaded && this.#ports.clock.now() - slot.checked < this.#recheck) return slot.loaded.model;
    const place = await this.#ports.source.find(name);
    if (!place) throw unknownModel();
    try {
      const card = await this.#cardOf(place.prefix);
      const { classes } = await this.#classesOf(place.prefix, card);
      return { name, sha256: place.sha256 ?? card.hashes.model ?? '', card, classes };
    } catch (error) {
      throw error instanceof PermanentError ? unusable(name, error) : error;
    }
  }

  /** Lets go of everything. */
  async close(): Promise<void> {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    await Promise.all(slots.map(slot => this.#retire(slot)));
  }

  /** The model as it is now, counted as used. */
  async #taken(name: string, isDefault: boolean): Promise<Loaded> {
    const slot = this.#slots.get(name) ?? emptySlot();
    this.#slots.delete(name);
    this.#slots.set(name, slot);
    if (!slot.loaded || this.#ports.clock.now() - slot.checked >= this.#recheck) {
      slot.checking ??= this.#check(name, slot).finally(() => {
        slot.checking = undefined;
      });
      await slot.checking;
    }
    if (slot.loaded) {
      // At once: whoever replaces it must see that it is used.
      slot.loaded.users++;
      return slot.loaded;
    }
    this.#slots.delete(name);
    if (!isDefault) throw unknownModel();
    throw new Problem('no-model', `model ${name} is not published yet; a finished job publishes it`, {
      headers: { 'retry-after': '60' },
    });
  }

  /** Brings the slot up to date. A model that cannot be loaded leaves the one before in its place. */
  async #check(name: string, slot: Slot): Promise<void> {
    const now = this.#ports.clock.now();
    const place = await this.#ports.source.find(name);
    slot.checked = now;
    if (!place) return this.#retire(slot);
    if (this.#isLeftAlone(slot, place, now)) return;
    try {
      if (slot.loaded?.stamp === place.stamp) return await this.#readClasses(slot.loaded);
      const loaded = await this.#load(name, place);
      await this.#retire(slot);
      slot.loaded = loaded;
      await this.#makeRoom(slot);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      const reason = unusable(name, error);
      slot.refused = { stamp: place.stamp, time: now, reason };
      if (!slot.loaded) throw reason;
      this.#ports.note(`model ${name} stays as it was: ${error.message}`);
    }
  }

  /** @throws Problem 503 if there is no other to go on with */
  #isLeftAlone({ refused, loaded }: Slot, { stamp }: ModelPlace, now: number): boolean {
    if (refused?.stamp !== stamp || now - refused.time >= patience * this.#recheck) return false;
    if (!loaded) throw refused.reason;
    return true;
  }

  async #cardOf(prefix: string): Promise<Card> {
    const key = `${prefix}card.json`;
    const document = await readJson(this.#ports.source.store, key);
    return naming(key, () => parseCard(document));
  }

  async #load(name: string, { prefix, stamp, sha256: published }: ModelPlace): Promise<Loaded> {
    const { store } = this.#ports.source;
    const modelKey = `${prefix}model.onnx`;
    const [card, bytes] = await Promise.all([this.#cardOf(prefix), readObject(store, modelKey)]);
    const { classes, tag } = await this.#classesOf(prefix, card);
    // The session opens in a thread of its own; the hash is taken meanwhile, and what does not have it is never run.
    const opening = naming(modelKey, () => labellerOf(this.#ports, card, bytes));
    const sha256 = this.#ports.digest.sha256(bytes);
    const wanted = published ?? card.hashes.model;
    if (wanted !== undefined && wanted !== sha256) {
      await opening.then(({ model }) => model.release()).catch(() => undefined);
      throw new PermanentError(`${modelKey} is not the file that was published (SHA-256 differs); publish it again`);
    }
    const labeller = await opening;
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
