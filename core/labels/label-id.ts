/** Cluster ids and label ids, and the only ±1 between them. */

/** 0 … K−1, from k-means. */
export type ClusterId = number & { readonly brand: 'ClusterId' };
/** 0 is background ("other"), 1 … K are labels. */
export type LabelId = number & { readonly brand: 'LabelId' };

export const background = 0 as LabelId;

export const labelOfCluster = (cluster: ClusterId): LabelId => (cluster + 1) as LabelId;

/** @throws RangeError for background, which belongs to no cluster. */
export function clusterOfLabel(label: LabelId): ClusterId {
  if (label < 1) throw new RangeError(`label ${label} has no cluster; labels of clusters start at 1`);
  return (label - 1) as ClusterId;
}
