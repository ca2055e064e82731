/** `npm run docs:cost`: writes the tables of docs/cost.md anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { costTables } from '#core/job/cost-page';

const page = 'docs/cost.md';

/** The page with its tables as they are to be. */
export const withTables = (text: string): string =>
  Object.entries(costTables).reduce(
    (whole, [name, table]) =>
      whole.replace(
        new RegExp(`(<!-- table: ${name} -->\n)[\\s\\S]*?(<!-- end -->)`),
        (_, head: string, end: string) => `${head}\n${table()}\n\n${end}`,
      ),
    text,
  );

export function writeCostPage(): void {
  writeFileSync(page, withTables(readFileSync(page, 'utf8')));
}
