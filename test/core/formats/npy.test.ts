/** Arrays in .npy files: as NumPy writes them, and there and back. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PermanentError } from '#core/errors';
import { type NpyArray, npyHeader, readNpy, readNpyHeader, readNpyOf, readNpyRows, writeNpy } from '#core/formats/npy';

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/npy-tar-python.json', import.meta.url), 'utf8'));
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));

describe('.npy', () => {
  it.each(fixture.npy as { name: string; shape: number[]; values: number[]; npy: string }[])(
    'reads what NumPy writes: $name',
    ({ shape, values, npy }) => {
      const array = readNpy(bytesOf(npy));
      expect(array.shape).toEqual(shape);
      expect([...array.data]).toEqual(values);
    },
  );

  it('writes NumPy’s bytes', () => {
    for (const { name, npy } of fixture.npy as { name: string; npy: string }[]) {
      if (name.includes('version 2')) continue;
      expect([name, writeNpy(readNpy(bytesOf(npy)))]).toEqual([name, bytesOf(npy)]);
    }
  });

  it.each(fixture.npyRefused as { name: string; npy: string }[])('refuses $name, by name of the file', ({ npy }) => {
    expect(() => readNpy(bytesOf(npy), 'x.npy')).toThrow(PermanentError);
    expect(() => readNpy(bytesOf(npy), 'x.npy')).toThrow(/^x\.npy /);
  });

  const arrays: fc.Arbitrary<NpyArray> = fc
    .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 5 }))
    .chain(([rows, columns]) => {
      const length = { minLength: rows * columns, maxLength: rows * columns };
      return fc.oneof(
        fc.float32Array(length).map(data => ({ kind: 'float32' as const, shape: [rows, columns], data })),
        fc.float64Array(length).map(data => ({ kind: 'float64' as const, shape: [rows, columns], data })),
        fc.int32Array(length).map(data => ({ kind: 'int32' as const, shape: [rows, columns], data })),
        fc.uint16Array(length).map(data => ({ kind: 'uint16' as const, shape: [rows, columns], data })),
      );
    });

  it('gives back any array, wherever the bytes lie, and any of its rows', () => {
    fc.assert(
      fc.property(arrays, fc.nat(7), fc.nat(6), (array, shift, from) => {
        const file = writeNpy(array);
        const moved = new Uint8Array(file.length + shift).subarray(shift);
        moved.set(file);
        const read = readNpy(moved);
        expect(read).toEqual(array);
        const header = readNpyHeader(moved.subarray(0, 128));
        const [rows, columns] = array.shape as [number, number];
        const first = Math.min(from, rows);
        const block = moved.subarray(header.offset + first * header.rowBytes);
        expect(readNpyRows(header, block, first, rows)).toEqual(array.data.slice(first * columns));
      }),
    );
  });

  it('refuses files cut off anywhere, other kinds, and shapes that do not fit', () => {
    const file = writeNpy({ kind: 'float32', shape: [2, 3], data: new Float32Array(6) });
    for (let length = 0; length < file.length; length++) {
      expect(() => readNpy(file.subarray(0, length))).toThrow(PermanentError);
    }
    expect(() => readNpyOf('int32', file, 'centroids.npy')).toThrow(/centroids\.npy holds float32 numbers; int32/);
    expect(() => writeNpy({ kind: 'float32', shape: [2, 2], data: new Float32Array(6) })).toThrow(RangeError);
    expect(() => npyHeader('float32', [1.5])).toThrow(RangeError);
  });
});
