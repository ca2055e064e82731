/** The bounds of the API that its document states and its code keeps. */

/** Images in one batch. */
export const mostBatchImages = 16;

/** Segments in one answer: the largest ones; a warning says how many there are. */
export const mostSegments = 1000;

/** Longest side, in pixels, that `size` may ask for. */
export const largestSize = 8192;

/** Names of models and jobs. */
export const namePattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$';
