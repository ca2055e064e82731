/** How well the images' clusters agree with the folders they lie in. */
import type { ClusterId } from '#core/labels/label-id';
import { clusterAccuracy, contingency, normalisedMutualInformation } from './mutual-information.ts';

export interface FolderAgreement {
  readonly images: number;
  readonly clusters: number;
  /** Folders: the first part of each path. */
  readonly classes: number;
  readonly nmi: number;
  readonly clusterAccuracy: number;
}

/** Null where images lie in fewer than two folders, or some in none: then folders are no classes. */
export function folderAgreement(
  rows: readonly { readonly image: string; readonly cluster: ClusterId }[],
): FolderAgreement | null {
  if (!rows.every(({ image }) => image.includes('/'))) return null;
  const table = contingency(rows.map(({ image, cluster }) => [cluster, image.slice(0, image.indexOf('/'))] as const));
  if (table.classes < 2) return null;
  return {
    images: rows.length,
    clusters: table.clusters,
    classes: table.classes,
    nmi: normalisedMutualInformation(table),
    clusterAccuracy: clusterAccuracy(table),
  };
}
