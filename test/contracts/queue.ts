/** What every Queue must do. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Queue, ReceivedMessage } from '#pipeline/ports';

export interface QueueUnderTest {
  readonly queue: Queue;
  /** How long a received message stays hidden; at least 2. */
  readonly visibilitySeconds: number;
  /** Lets so much time go by. */
  elapse(seconds: number): Promise<void>;
}

/** @param open an empty queue */
export function queueContract(name: string, open: () => Promise<QueueUnderTest>): void {
  describe(`${name} as a Queue`, () => {
    let queue: Queue;
    let visibilitySeconds: number;
    let elapse: QueueUnderTest['elapse'];
    beforeEach(async () => {
      ({ queue, visibilitySeconds, elapse } = await open());
    });

    /** Receives until so many are there: a queue may hand out fewer at a time. */
    async function receiveAll(count: number): Promise<ReceivedMessage[]> {
      const received: ReceivedMessage[] = [];
      for (let tries = 0; received.length < count && tries < 50; tries++)
        received.push(...(await queue.receive(10, 0)));
      return received;
    }

    const bodiesOf = (messages: readonly ReceivedMessage[]) => messages.map(({ body }) => body).sort();

    it('hands out everything that was sent', async () => {
      await queue.send(['a', 'b']);
      await queue.send(['ä "quoted" \n line']);
      await queue.send([]);
      const received = await receiveAll(3);
      expect(bodiesOf(received)).toEqual(['a', 'b', 'ä "quoted" \n line']);
      expect(received.every(({ receives }) => receives === 1)).toBe(true);
      expect(new Set(received.map(({ receipt }) => receipt)).size).toBe(3);
    });

    it('hands out no more than asked for', async () => {
      await queue.send(['a', 'b', 'c', 'd']);
      expect((await queue.receive(3, 0)).length).toBeLessThanOrEqual(3);
    });

    it('comes back empty-handed from an empty queue', async () => {
      expect(await queue.receive(10, 0)).toEqual([]);
    });

    it('hides what was received, until its time is over', async () => {
      await queue.send(['a']);
      expect(bodiesOf(await receiveAll(1))).toEqual(['a']);
      expect(await queue.receive(10, 0)).toEqual([]);
      await elapse(visibilitySeconds + 1);
      const again = await receiveAll(1);
      expect(again.map(({ body, receives }) => ({ body, receives }))).toEqual([{ body: 'a', receives: 2 }]);
    });

    it('hands out a deleted message no more', async () => {
      await queue.send(['a', 'b']);
      const received = await receiveAll(2);
      await queue.delete(received.find(({ body }) => body === 'a')!.receipt);
      await elapse(visibilitySeconds + 1);
      expect(bodiesOf(await receiveAll(1))).toEqual(['b']);
      expect(await queue.receive(10, 0)).toEqual([]);
    });

    it('deletes twice without complaint', async () => {
      await queue.send(['a']);
      const [message] = await receiveAll(1);
      await queue.delete(message!.receipt);
      await queue.delete(message!.receipt);
    });

    it('keeps a message hidden for as long as it is extended', async () => {
      await queue.send(['a']);
      const [message] = await receiveAll(1);
      await elapse(visibilitySeconds - 1);
      await queue.extend(message!.receipt, visibilitySeconds + 2);
      await elapse(visibilitySeconds);
      expect(await queue.receive(10, 0)).toEqual([]);
      await elapse(3);
      expect(bodiesOf(await receiveAll(1))).toEqual(['a']);
    });

    it('shows a message again at once when extended by nothing', async () => {
      await queue.send(['a']);
      const [message] = await receiveAll(1);
      await queue.extend(message!.receipt, 0);
      expect(bodiesOf(await receiveAll(1))).toEqual(['a']);
    });

    it('refuses to extend what has been deleted', async () => {
      await queue.send(['a']);
      const [message] = await receiveAll(1);
      await queue.delete(message!.receipt);
      await expect(queue.extend(message!.receipt, 5)).rejects.toThrow();
    });

    it('waits for the first message', async () => {
      const waiting = queue.receive(10, 20);
      await queue.send(['late']);
      expect(bodiesOf(await waiting)).toEqual(['late']);
    });
  });
}
