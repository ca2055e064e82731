/** What is no request is refused in words that say what was expected. */
import { describe, expect, it } from 'vitest';
import { parseRequest } from '#core/job/request';

const images = 'datasets/d/images/';

describe('a request', () => {
  it('may be the prefix alone', () => {
    expect(parseRequest({ images })).toMatchObject({ kind: 'run', images, restarts: 10, seed: 0, name: 'selflabel' });
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', null, /expected object, received null/],
    ['a list', [], /images: .*expected string/],
    ['no images', {}, /images: .*expected string/],
    ['another room', { images: 'models/x/' }, /images: a key under datasets\//],
    ['a climber', { images: 'datasets/x/../../models/' }, /images: a key under datasets\//],
    ['an absolute prefix', { images: '/datasets/x/' }, /images: a key under datasets\//],
    ['masks elsewhere', { images, masks: 'models/' }, /masks: a key under datasets\//],
    ['another bucket', { images, backbone: 's3://other/x.onnx' }, /backbone: a key under backbones\//],
    ['a word for a number', { images, clusters: 'many' }, /clusters: a whole number from 2 to 60000, or "auto"/],
    ['half a cluster', { images, clusters: 2.5 }, /clusters: a whole number from 2 to 60000, or "auto"/],
    ['a million clusters', { images, clusters: 1_000_000 }, /clusters: .*<=60000/],
    ['an odd threshold', { images, threshold: 'high' }, /threshold: a number, "from-scores" or "from-masks"/],
    ['three scales', { images, scales: 3 }, /scales: 1 or 2/],
    ['a path as a name', { images, name: '../x' }, /name: letters, digits/],
    ['an unknown key', { images, colour: 'red' }, /Unrecognized key: "colour"/],
    ['a prototype', JSON.parse(`{"images":"${images}","__proto__":{"a":1}}`), /Unrecognized key: "__proto__"/],
    ['half a validation set', { images, valImages: images }, /valImages and valMasks belong together/],
  ])('refuses %s', (_, document, reason) => {
    expect(() => parseRequest(document)).toThrow(reason);
  });
});
