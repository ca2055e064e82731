/** How large the pictures of the report are. */

/** Three times the width of a tile on the page, so that tiles are sharp on every screen and enlarging shows more. */
const longestSide = 320;

/** Size of an image's thumbnail: the longer side at most `longest`, the shorter in proportion, never enlarged, at least 1. */
export function thumbnailSize(width: number, height: number, longest = longestSide): { width: number; height: number } {
  const scale = Math.min(1, longest / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
