/** Every export format, by the name users give it. */
import { exportCoco } from './coco.ts';
import { exportCvat } from './cvat.ts';
import type { Exporter } from './exporter.ts';
import { exportLabelStudio } from './label-studio.ts';
import { exportPng } from './png-masks.ts';
import { exportVoc } from './voc.ts';
import { exportYolo } from './yolo.ts';

export const exportFormats = ['png', 'coco', 'voc', 'yolo', 'cvat', 'label-studio'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export const exporters: Record<ExportFormat, Exporter> = {
  png: exportPng,
  coco: exportCoco,
  voc: exportVoc,
  yolo: exportYolo,
  cvat: exportCvat,
  'label-studio': exportLabelStudio,
};

/** A word as a format, if it is one. */
export const exportFormatOf = (word: string): ExportFormat | undefined => exportFormats.find(format => format === word);
