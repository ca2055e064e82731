/** Groups of things that were found similar two by two: whoever is linked, however far round, is in one group. */

/** The strongest link of one member. */
export interface Link {
  readonly to: number;
  readonly strength: number;
}

/** Union by links, with path halving (Tarjan & van Leeuwen 1984). Memory: the members that have a link. */
export class SimilarGroups {
  readonly #parents = new Map<number, number>();
  readonly #strongest = new Map<number, Link>();

  link(a: number, b: number, strength: number): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = this.#strongest.get(from);
      if (!known || strength > known.strength || (strength === known.strength && to < known.to))
        this.#strongest.set(from, { to, strength });
    }
    const [rootA, rootB] = [this.#rootOf(a), this.#rootOf(b)];
    if (rootA !== rootB) this.#parents.set(Math.max(rootA, rootB), Math.min(rootA, rootB));
  }

  /** Members ascending within each group; the largest group first, of equal ones that with the first member. */
  groups(): { readonly members: readonly number[]; readonly strongest: readonly Link[] }[] {
    const byRoot = new Map<number, number[]>();
    for (const member of [...this.#strongest.keys()].sort((a, b) => a - b)) {
      const root = this.#rootOf(member);
      const members = byRoot.get(root);
      if (members) members.push(member);
      else byRoot.set(root, [member]);
    }
    return [...byRoot.values()]
      .sort((a, b) => b.length - a.length || a[0]! - b[0]!)
      .map(members => ({ members, strongest: members.map(member => this.#strongest.get(member)!) }));
  }

  #rootOf(member: number): number {
    let at = member;
    for (;;) {
      const parent = this.#parents.get(at) ?? at;
      if (parent === at) return at;
      const above = this.#parents.get(parent) ?? parent;
      this.#parents.set(at, above);
      at = above;
    }
  }
}
