/** The receipt: every input ends in exactly one state, and the lists prove it. */

/** The inputs by their state, and what was done to them that people should know. */
export interface ReceiptLists {
  readonly labelled: readonly string[];
  readonly empty: readonly string[];
  readonly duplicate: readonly { image: string; of: string }[];
  readonly rejected: readonly { image: string; reason: string }[];
  readonly notes: readonly { image: string; note: string }[];
}

interface ReceiptFacts {
  readonly counts: { total: number; labelled: number; empty: number; duplicate: number; rejected: number };
  readonly settings: Readonly<Record<string, unknown>>;
  readonly hashes: Readonly<Record<string, string>>;
  readonly timing: Readonly<Record<string, unknown>>;
}

export interface Receipt extends ReceiptLists, ReceiptFacts {}

/** Where there are too many inputs for one file: the lists are files of their own, one per shard. */
export interface ShardedReceipt extends ReceiptFacts {
  /** Beside the receipt: `receipt/000000.json`, … */
  readonly lists: readonly string[];
}

/** @throws Error if the states do not account for every input: our fault, and worth stopping for */
export function balancedCounts(counts: Omit<Receipt['counts'], 'total'>, total: number): Receipt['counts'] {
  const { labelled, empty, duplicate, rejected } = counts;
  const sum = labelled + empty + duplicate + rejected;
  if (sum !== total) throw new Error(`internal: ${total} inputs but ${sum} states in the receipt`);
  return { total, labelled, empty, duplicate, rejected };
}
