import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkEnvironment, environmentNames, environmentOf } from '../../infra/environment.ts';
import { dev } from '../../infra/environments/dev.ts';
import { steps } from '../../infra/gpu-tasks.ts';

describe('an environment', () => {
  it.each(environmentNames)('%s is what its file says', name => {
    expect(environmentOf(name, { account: '123456789012' })).toMatchObject({ name, account: '123456789012' });
  });

  it('is one of three', () => {
    expect(() => environmentOf('test')).toThrow('there is no environment "test"; use one of dev, staging, prod');
    expect(() => environmentOf('constructor')).toThrow('there is no environment');
    expect(() => environmentOf('')).toThrow('-c env=dev');
  });

  it('of prod is built for one account, named in its file or on the command line', () => {
    expect(() => environmentOf('prod')).toThrow(/account.*-c account=/);
    expect(() => environmentOf('prod', { account: '1234' })).toThrow('twelve digits');
    expect(environmentOf('prod', { account: '123456789012', region: 'eu-west-1' }).region).toBe('eu-west-1');
    expect(environmentOf('dev').account).toBeUndefined();
  });

  it.each([
    ['a key nobody knows', { ...dev, maxGpu: 3 }, /dev\.ts is not usable: .*maxGpu/],
    ['a key that is missing', { ...dev, network: undefined }, /network/],
    ['a network there is not', { ...dev, network: 'open' }, /network/],
    ['no GPU at all', { ...dev, maxGpus: 0 }, /maxGpus/],
    ['a key nobody knows further in', { ...dev, api: { ...dev.api, firewall: true } }, /api.*firewall/],
    ['a service without a certificate', { ...dev, api: { ...dev.api, kind: 'service' } }, /certificateArn/],
    [
      'a service with signed requests',
      { ...dev, api: { ...dev.api, kind: 'service', certificateArn: 'arn:aws:acm:eu-west-1:1:certificate/1' } },
      /auth jwt/,
    ],
  ])('is refused with %s', (_, file, complaint) => {
    expect(() => checkEnvironment('dev', file)).toThrow(complaint);
  });
});

describe('steps of scaling', () => {
  it('start one task for one piece, and one more for every so many', () => {
    expect(steps(1, 4)).toEqual([{ from: 1, tasks: 1 }]);
    expect(steps(6, 4)).toEqual([
      { from: 1, to: 5, tasks: 1 },
      { from: 5, to: 9, tasks: 2 },
      { from: 9, to: 17, tasks: 4 },
      { from: 17, tasks: 6 },
    ]);
  });

  it('leave no gap, stay within the cap, and are at most the twenty a policy may have', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1000 }), (limit, pieces) => {
        const all = steps(limit, pieces);
        expect(all[0]!.from).toBe(1);
        expect(all.at(-1)!).toEqual({ from: expect.any(Number), tasks: limit });
        for (const [i, { to, from, tasks }] of all.entries()) {
          expect(to).toBe(all[i + 1]?.from);
          if (to !== undefined) expect(to).toBeGreaterThan(from);
          expect(tasks).toBeLessThanOrEqual(limit);
        }
        expect(all.length).toBeLessThanOrEqual(20);
      }),
    );
  });
});
