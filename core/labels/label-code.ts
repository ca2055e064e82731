/** The label code of ImageNet-S: an id as two colour channels, id = R + 256·G. Spelled here and nowhere else. */

/** Largest id that red and green together can hold. */
export const largestCodedId = 65535;

/** Id of a pixel. Blue carries nothing and is ignored. @param red 0 … 255 @param green 0 … 255 */
export const idOfCode = (red: number, green: number): number => red + 256 * green;

/** [red, green, blue] of an id. @param id 0 … 65535 */
export const codeOfId = (id: number): [red: number, green: number, blue: number] => [id & 255, id >> 8, 0];
