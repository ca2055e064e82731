/** Which media type a client wants, by the rules of RFC 9110, 12.5.1. */
import { describe, expect, it } from 'vitest';
import { negotiate } from '#pipeline/serve/media-type';

const offered = ['application/json', 'image/png', 'application/geo+json'];

describe('negotiation', () => {
  it.each([
    [null, 'application/json'],
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['image/png', 'image/png'],
    ['IMAGE/PNG', 'image/png'],
    ['image/*', 'image/png'],
    ['application/*', 'application/json'],
    ['application/geo+json, */*;q=0.1', 'application/geo+json'],
    ['image/png;q=0.2, application/json;q=0.3', 'application/json'],
    ['application/json;q=0, */*', 'image/png'],
    ['*/*, application/json;q=0.5', 'image/png'],
    ['image/png;q=2', undefined],
    ['image/png;q=x', undefined],
    ['text/html', undefined],
    [',;,', 'application/json'],
    ['image/avif,image/webp,*/*;q=0.8', 'application/json'],
  ])('%j means %s', (accept, type) => expect(negotiate(accept, offered)).toBe(type));
});
