/** A label map: one id per pixel. */
export interface LabelMap {
  readonly width: number;
  readonly height: number;
  /** [height, width], row-major: label ids (predictions) or class ids (ground truth). */
  readonly data: Uint16Array;
}

export const emptyLabelMap = (width: number, height: number): LabelMap => ({
  width,
  height,
  data: new Uint16Array(width * height),
});
