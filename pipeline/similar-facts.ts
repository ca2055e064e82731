/** What the report says about things that look alike: classes to merge and near-duplicates. */
import type { NearDuplicate } from '#core/formats/near-duplicates-csv';
import type { Plan } from '#core/job/plan';
import { type MergeProposal, mergeGroups, proposedAbove } from '#core/labels/merge-proposals';
import type { MergeFacts, NearDuplicateFacts } from '#core/pages/report-data';
import { nearDuplicateCosine, readNearDuplicates } from './near-duplicates.ts';
import type { ObjectStore } from './ports.ts';
import type { Thumbnail } from './thumbnails.ts';

/** Shown on the page; the files hold all. */
const mostMerges = 24;
const mostGroups = 12;
const mostPictures = 6;

/** The groups that would be merged, the surest first. */
export function mergeFacts(proposals: readonly MergeProposal[]): MergeFacts {
  const groups = mergeGroups(proposals, proposedAbove).map(clusters => ({
    classes: clusters.map(cluster => cluster + 1),
    score: bestOf(proposals, new Set(clusters)),
  }));
  groups.sort((a, b) => b.score - a.score || a.classes[0]! - b.classes[0]!);
  return { groups: groups.slice(0, mostMerges), total: groups.length, above: proposedAbove };
}

/** The highest score of two clusters among these. */
const bestOf = (proposals: readonly MergeProposal[], clusters: ReadonlySet<number>): number =>
  proposals.find(({ clusters: [a, b] }) => clusters.has(a) && clusters.has(b))!.score;

/** Near-duplicates as far as the page shows them. */
export interface ShownNearDuplicates {
  readonly groups: readonly { readonly names: readonly string[]; readonly images: number }[];
  readonly total: NearDuplicateFacts['total'];
}

export async function shownNearDuplicates(store: ObjectStore, plan: Plan): Promise<ShownNearDuplicates> {
  const rows = await readNearDuplicates(store, plan);
  const byGroup = new Map<number, NearDuplicate[]>();
  for (const row of rows) {
    const members = byGroup.get(row.group);
    if (members) members.push(row);
    else byGroup.set(row.group, [row]);
  }
  const groups = [...byGroup.values()].slice(0, mostGroups).map(members => ({
    names: members.slice(0, mostPictures).map(({ image }) => image),
    images: members.length,
  }));
  return { groups, total: { groups: byGroup.size, images: rows.length } };
}

export const nearDuplicateFacts = (
  { groups, total }: ShownNearDuplicates,
  thumbnails: ReadonlyMap<string, Thumbnail>,
): NearDuplicateFacts => ({
  groups: groups.map(({ names, images }) => ({
    images,
    pictures: names.map(image => ({ image, confidence: null, ...thumbnails.get(image)! })),
  })),
  total,
  above: nearDuplicateCosine,
});
