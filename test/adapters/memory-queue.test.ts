import { describe, expect, it } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { queueContract } from '../contracts/queue.ts';

/** A clock that moves by hand. */
function handClock() {
  let now = 1_700_000_000_000;
  return {
    now: () => now,
    forward: (seconds: number) => {
      now += seconds * 1000;
    },
  };
}

queueContract('MemoryQueue', async () => {
  const clock = handClock();
  const queue = new MemoryQueue({ clock, visibilitySeconds: 30 });
  return { queue, visibilitySeconds: 30, elapse: async seconds => clock.forward(seconds) };
});

queueContract('MemoryQueue in disorder', async () => {
  const clock = handClock();
  const queue = new MemoryQueue({ clock, visibilitySeconds: 30, disorder: { seed: 7, twice: 0 } });
  return { queue, visibilitySeconds: 30, elapse: async seconds => clock.forward(seconds) };
});

const letters = [...'abcdefghijklmnopqrst'];

describe('MemoryQueue', () => {
  it('keeps order if not told otherwise', async () => {
    const queue = new MemoryQueue();
    await queue.send(letters);
    expect((await queue.receive(20, 0)).map(({ body }) => body)).toEqual(letters);
  });

  it('gives up order for a seed, the same way each time', async () => {
    const bodies = async (seed: number) => {
      const queue = new MemoryQueue({ disorder: { seed, twice: 0 } });
      await queue.send(letters);
      return (await queue.receive(20, 0)).map(({ body }) => body);
    };
    expect(await bodies(1)).not.toEqual(letters);
    expect(await bodies(1)).toEqual(await bodies(1));
    expect(await bodies(1)).not.toEqual(await bodies(2));
    expect((await bodies(1)).sort()).toEqual(letters);
  });

  it('delivers twice when told so, and the first hand-out then counts no more', async () => {
    const queue = new MemoryQueue({ disorder: { seed: 1, twice: 1 } });
    await queue.send(['a']);
    const [first] = await queue.receive(1, 0);
    const [second] = await queue.receive(1, 0);
    expect(second).toMatchObject({ body: 'a', receives: 2 });
    expect(await queue.receive(1, 0)).toEqual([]);
    await expect(queue.extend(first!.receipt, 10)).rejects.toThrow('no longer ours');
    await queue.delete(first!.receipt);
    expect(queue.size).toBe(1);
    await queue.delete(second!.receipt);
    expect(queue.size).toBe(0);
  });

  it('refuses to extend once the time is over, even if nobody else took the message', async () => {
    const clock = handClock();
    const queue = new MemoryQueue({ clock, visibilitySeconds: 30 });
    await queue.send(['a']);
    const [message] = await queue.receive(1, 0);
    clock.forward(31);
    await expect(queue.extend(message!.receipt, 10)).rejects.toThrow('no longer ours');
  });

  it('gives up waiting after the time it was given', async () => {
    expect(await new MemoryQueue().receive(1, 0.02)).toEqual([]);
  });

  it('waits for a hidden message to show again', async () => {
    const queue = new MemoryQueue({ visibilitySeconds: 0.05 });
    await queue.send(['a']);
    await queue.receive(1, 0);
    expect((await queue.receive(1, 20)).map(({ receives }) => receives)).toEqual([2]);
  });

  it('gives one message to one of many who wait', async () => {
    const queue = new MemoryQueue();
    const waiting = Array.from({ length: 5 }, () => queue.receive(1, 0.2));
    await queue.send(['a', 'b']);
    expect(
      (await Promise.all(waiting))
        .flat()
        .map(({ body }) => body)
        .sort(),
    ).toEqual(['a', 'b']);
  });
});
