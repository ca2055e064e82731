/** Where models to serve lie: the bucket's published ones, or one folder. */
import { keys } from '#core/job/keys';
import { parseCard } from '#core/labels/card';
import { fromJson, naming, readJson } from '../documents.ts';
import type { ObjectStore } from '../ports.ts';

/** A model as it lies in the store now. */
export interface ModelPlace {
  /** Prefix of model.onnx, card.json and classes.json. */
  readonly prefix: string;
  /** Changes whenever another model lies here. */
  readonly stamp: string;
  /** Of model.onnx, as it was published. */
  readonly sha256?: string;
}

export interface ModelSource {
  readonly store: Pick<ObjectStore, 'get' | 'getTagged' | 'head'>;
  /** In order. */
  names(): Promise<string[]>;
  find(name: string): Promise<ModelPlace | undefined>;
}

const currentKey = /^models\/([^/]+)\/current\.json$/;

/** `models/<name>/current.json` says which version is the current one. */
export const publishedModels = (store: ObjectStore): ModelSource => ({
  store,
  async names() {
    const names: string[] = [];
    for await (const key of store.keys(keys.modelsPrefix)) {
      const name = currentKey.exec(key)?.[1];
      if (name !== undefined) names.push(name);
    }
    return names;
  },
  async find(name) {
    const current = await store.getTagged(keys.currentModel(name));
    if (!current) return undefined;
    const { version, sha256 } = fromJson<{ version: string; sha256: string }>(current.bytes);
    return { prefix: keys.model(name, version, ''), stamp: current.etag, sha256 };
  },
});

/** One model, in the folder of the store; its name is that of its card. */
export const folderModel = (store: ModelSource['store']): ModelSource => {
  const nameOf = async () => {
    const document = await readJson(store, 'card.json');
    return naming('card.json', () => parseCard(document)).name;
  };
  return {
    store,
    async names() {
      return (await store.head('card.json')) ? [await nameOf()] : [];
    },
    async find(name) {
      const [card, model] = [await store.head('card.json'), await store.head('model.onnx')];
      if (!card || !model || (await nameOf()) !== name) return undefined;
      return { prefix: '', stamp: `${card.etag} ${model.etag}` };
    },
  };
};
