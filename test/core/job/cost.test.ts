/** Prices, requests, estimates: cases worked out by hand, and the page in docs/ held to the table of prices. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { dollarsPerMillion, type EstimateQuestion, estimate, requestDollars } from '#core/job/estimate';
import { jobRequests, planRequests, stageRequests } from '#core/job/requests';
import { withTables } from '../../../bench/cost-page.ts';
import { estimateText, questionOf } from '../../../cli/estimate.ts';

const question: EstimateQuestion = {
  images: 1_000_000,
  imageBytes: 110_000,
  gigaflops: 12,
  instance: 'g6.xlarge',
  market: 'on-demand',
  machines: 2,
  measured: { embed: 200, label: 100 },
  packed: true,
  dimension: 384,
};

describe('estimate', () => {
  it('adds both passes and the start of every machine', () => {
    const { machineHours, hours, dollars } = estimate(question);
    expect(machineHours).toBeCloseTo((5000 + 10_000) / 3600 + 2 * 0.25, 9);
    expect(hours).toBeCloseTo(machineHours / 2, 9);
    expect(dollars.machines).toBeCloseTo(machineHours * 0.805, 9);
    expect(dollars.total).toBeCloseTo(dollars.machines + dollars.requests + dollars.upload + dollars.functions, 9);
    expect(dollars.storagePerMonth).toBeCloseTo(((110_000 + 4 * 384 * 4 + 384 * 4 + 3000) / 1000) * 0.023, 6);
  });

  it('takes the smallest of decoding, network and the thread of labelling', () => {
    const assumed = { ...question, measured: undefined };
    expect(estimate(assumed).rates).toEqual({ embed: 320, label: 100, limit: 'decoding' });
    const heavy = estimate({ ...assumed, gigaflops: 200 });
    expect(heavy.rates.limit).toBe('network');
    expect(heavy.rates.embed).toBeCloseTo((0.33 * 30_300) / 200, 9);
    expect(heavy.rates.label).toBe(heavy.rates.embed);
    expect(estimate({ ...assumed, imageBytes: 1_100_000 }).rates.embed).toBeCloseTo(32, 9);
  });

  it('says slow rates in numbers that are not zero', () => {
    const slow = { ...question, measured: undefined, imageBytes: 99_999_000 };
    expect(estimateText(slow, estimate(slow))).toContain('0.35 photos/s embedding, 0.35/s labelling');
    expect(estimateText(question, estimate(question))).toContain('200 photos/s embedding, 100/s labelling');
  });

  it('costs per million images what hourly price and rate say', () => {
    expect(dollarsPerMillion(0.526, 50)).toBeCloseTo(2.92, 2);
    expect(requestDollars({ list: 1e6, get: 1e6, put: 1e6, sqs: 1e6 })).toBeCloseTo(5 + 0.4 + 5 + 0.4, 9);
  });

  it('wants both measured rates or none', () => {
    const options = {
      images: 1,
      size: 1,
      backbone: 'resnet50',
      machines: 1,
      dimension: 1,
      instance: 'g6.xlarge',
    } as const;
    expect(() => questionOf({ ...options, embedRate: 5 })).toThrow('belong together');
    expect(questionOf({ ...options, embedRate: 5, labelRate: 6 }).measured).toEqual({ embed: 5, label: 6 });
    expect(questionOf(options)).toMatchObject({ market: 'spot', packed: true, imageBytes: 1000, gigaflops: 10.8 });
  });
});

describe('requests', () => {
  const layout = {
    images: 1024,
    shards: 4,
    perTar: 512,
    embeddedBytes: 1000,
    labelBytes: 10,
    partBytes: 100_000,
    imagesPerSecond: 1,
  };

  it('by hand: two archives of two shards each', () => {
    // Two archives and their indexes; four shards, the plan; six questions about the request and what it names.
    expect(planRequests(layout)).toEqual({ list: 1, get: 2 + 6, put: 4 + 1, sqs: 6 });
    // 256 kB of vectors a shard are three parts of 100 kB: three reads more, four writes more.
    expect(stageRequests(layout)).toEqual({
      list: 1,
      get: 4 * (31 + 3) + 400,
      put: 4 * (5 + 4) + 50,
      sqs: Math.round(8 * 3.2 + 20.48),
    });
    expect(jobRequests({ ...layout, perTar: 1 }).get - jobRequests(layout).get).toBe(2 * (1024 - 4) - 2);
  });
});

describe('docs/cost.md', () => {
  it('has the tables that the prices give', () => {
    const page = readFileSync(fileURLToPath(new URL('../../../docs/cost.md', import.meta.url)), 'utf8');
    expect(page.match(/<!-- table: \w+ -->/g)).toHaveLength(3);
    expect(withTables(page)).toBe(page);
  });
});
