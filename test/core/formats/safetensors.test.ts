/** Safetensors: written and read back, and the bytes as the format has them. */
import { describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from '#core/formats/safetensors';

const saved = {
  tensors: new Map([
    ['a', { dims: [2, 2], data: Float32Array.of(1, -2, 0.5, Number.NaN) }],
    ['b/ü', { dims: [], data: Float32Array.of(3) }],
    ['none', { dims: [0], data: new Float32Array(0) }],
  ]),
  metadata: { step: '3' },
};

describe('safetensors', () => {
  it('gives back what was written', () => {
    const { tensors, metadata } = readSafetensors(writeSafetensors(saved), 'x');
    expect(metadata).toEqual(saved.metadata);
    expect([...tensors]).toEqual([...saved.tensors]);
  });

  it('lays the file out as the format says', () => {
    const bytes = writeSafetensors(saved);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(header.a).toEqual({ dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] });
    expect(header['b/ü']).toEqual({ dtype: 'F32', shape: [], data_offsets: [16, 20] });
    expect(new DataView(bytes.buffer).getFloat32(8 + length + 4, true)).toBe(-2);
  });

  it('refuses what is cut short at any place, naming the file', () => {
    const bytes = writeSafetensors(saved);
    for (const end of [0, 4, 8, 40, bytes.length - 1])
      expect(() => readSafetensors(bytes.subarray(0, end), 'run/x')).toThrow(/run\/x is no usable safetensors file/);
  });

  it('reads from a view that begins at an odd place', () => {
    const bytes = writeSafetensors(saved);
    const shifted = Buffer.concat([Buffer.from([9]), bytes]).subarray(1);
    expect([...readSafetensors(shifted, 'x').tensors]).toEqual([...saved.tensors]);
  });
});
