/** The receipt: every input ends in exactly one state, and the lists prove it. */

export interface Receipt {
  readonly labelled: readonly string[];
  readonly empty: readonly string[];
  readonly duplicate: readonly { image: string; of: string }[];
  readonly rejected: readonly { image: string; reason: string }[];
  readonly notes: readonly { image: string; note: string }[];
  readonly counts: { total: number; labelled: number; empty: number; duplicate: number; rejected: number };
  readonly settings: Readonly<Record<string, unknown>>;
  readonly hashes: Readonly<Record<string, string>>;
  readonly timing: Readonly<Record<string, unknown>>;
}

/** @throws Error if the lists do not account for every input: our fault, and worth stopping for */
export function balanceReceipt(receipt: Omit<Receipt, 'counts'>, total: number): Receipt {
  const { labelled, empty, duplicate, rejected } = receipt;
  const sum = labelled.length + empty.length + duplicate.length + rejected.length;
  if (sum !== total) throw new Error(`internal: ${total} inputs but ${sum} states in the receipt`);
  const counts = {
    total,
    labelled: labelled.length,
    empty: empty.length,
    duplicate: duplicate.length,
    rejected: rejected.length,
  };
  const { notes, settings, hashes, timing } = receipt;
  return { labelled, empty, duplicate, rejected, notes, counts, settings, hashes, timing };
}
