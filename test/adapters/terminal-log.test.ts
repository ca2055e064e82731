import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogStream } from '#adapters/local/terminal-log';
import { TerminalLog } from '#adapters/local/terminal-log';

function setup(stream: Partial<LogStream> = {}) {
  let now = 0;
  const written: string[] = [];
  const whole = { write: (text: string) => written.push(text), on: () => undefined, ...stream };
  const log = new TerminalLog(whole, { now: () => now });
  return {
    log,
    text: () => written.join(''),
    at: (seconds: number) => {
      now = seconds * 1000;
    },
  };
}

describe('TerminalLog away from a terminal', () => {
  it('writes a line now and then, with rate and time left, and one at the end', () => {
    const { log, text, at } = setup();
    for (let i = 0; i <= 60; i++) {
      at(i);
      log.progress('embed', 'all', i * 20, 1200);
    }
    expect(text().split('\n')).toEqual([
      'embed        0 %  0 of 1,200',
      'embed       25 %  300 of 1,200  20/s  45 s left',
      'embed       50 %  600 of 1,200  20/s  30 s left',
      'embed       75 %  900 of 1,200  20/s  15 s left',
      'embed      100 %  1,200 of 1,200  20/s  in 1 min 0 s',
      '',
    ]);
  });

  it('adds the pieces of a stage up', () => {
    const { log, text, at } = setup();
    log.progress('label', 'shard 1', 0, 10);
    log.progress('label', 'shard 2', 0, 30);
    at(20);
    log.progress('label', 'shard 1', 10, 10);
    at(40);
    log.progress('label', 'shard 2', 30, 30);
    expect(text()).toContain('10 of 40  0.5/s  1 min 0 s left\n');
    expect(text()).toContain('40 of 40  1.0/s  in 40 s\n');
  });

  it('leaves the work of an earlier run out of the rate', () => {
    const { log, text, at } = setup();
    log.progress('embed', 'all', 900, 1000);
    at(20);
    log.progress('embed', 'all', 920, 1000);
    expect(text()).toContain('920 of 1,000  1.0/s  1 min 20 s left');
  });

  it('writes notes as they come, without any control codes', () => {
    const { log, text } = setup();
    log.note('3 inputs rejected');
    log.progress('embed', 'all', 1, 2);
    log.note('done');
    expect(text()).toBe('3 inputs rejected\nembed       50 %  1 of 2\ndone\n');
  });
});

describe('TerminalLog on a terminal', () => {
  it('redraws one bar, and puts notes above it', () => {
    const { log, text, at } = setup({ isTTY: true, columns: 70 });
    log.progress('embed', 'all', 0, 4);
    at(0.05);
    log.progress('embed', 'all', 1, 4);
    at(1);
    log.progress('embed', 'all', 2, 4);
    log.note('hello');
    at(2);
    log.progress('embed', 'all', 4, 4);
    log.progress('label', 'all', 0, 9);
    log.close();
    expect(text().replaceAll('\r\x1b[K', '<wipe>').split('\n')).toEqual([
      `embed      ${'░'.repeat(24)}  0 of 4<wipe>embed      ${'█'.repeat(12)}${'░'.repeat(12)}  2 of 4  2.0/s  1 s left<wipe>hello`,
      `embed      ${'█'.repeat(24)}  4 of 4  2.0/s  in 2 s`,
      `label      ${'░'.repeat(24)}  0 of 9`,
      '',
    ]);
  });

  it('never writes beyond the width of the terminal', () => {
    const { log, text } = setup({ isTTY: true, columns: 30 });
    log.progress('embed', 'all', 123456, 1234567);
    expect(text().length).toBeLessThan(30);
  });
});

describe('TerminalLog never throws', () => {
  it('on a stream that does', () => {
    const { log } = setup({
      write: () => {
        throw new Error('EPIPE');
      },
    });
    log.note('a');
    log.progress('embed', 'all', 1, 2);
    log.close();
  });

  it('on a stream that reports its end as an event', () => {
    const listeners: ((error: Error) => void)[] = [];
    setup({ on: (_, listener) => listeners.push(listener) });
    expect(listeners.length).toBe(1);
    listeners[0]!(new Error('EPIPE'));
  });

  it('whatever the numbers', () => {
    const value = fc.oneof(fc.integer(), fc.double());
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b'), value, value)), fc.boolean(), (calls, isTTY) => {
        const { log, text, at } = setup({ isTTY });
        calls.forEach(([piece, done, total], i) => {
          at(i);
          log.progress('embed', piece, done, total);
        });
        expect(typeof text()).toBe('string');
      }),
    );
  });
});
