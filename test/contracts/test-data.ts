/** Where real photos and networks lie, if they do. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** `$SELFLABEL_DATA`, else a folder beside the project. */
export const dataFolder = process.env.SELFLABEL_DATA ?? fileURLToPath(new URL('../../../shared/data', import.meta.url));

/** For `describe.skipIf` and the suite's name: empty where the data is there, else the reason for skipping. */
export const dataMissing = existsSync(`${dataFolder}/odd`) ? '' : ' (skipped: no test data; set SELFLABEL_DATA)';
