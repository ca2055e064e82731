/** What functions and tasks say: one JSON object a line, and metrics in CloudWatch's embedded format, which need no client. */
import type { Log } from '#pipeline/ports';
import { metrics } from '#pipeline/settings';

export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Metric {
  readonly name: string;
  readonly value: number;
  readonly unit: 'Count' | 'Seconds';
}

const say = (document: object): void => {
  process.stdout.write(`${JSON.stringify(document)}\n`);
};

/** The log of one process. */
export class StructuredLog implements Log {
  readonly #fixed: Fields;

  /** @param fixed in every line: the function or task, its environment */
  constructor(fixed: Fields) {
    this.#fixed = fixed;
  }

  /** The same with more in every line. */
  with(fields: Fields): StructuredLog {
    return new StructuredLog({ ...this.#fixed, ...fields });
  }

  say(fields: Fields): void {
    say({ ...this.#fixed, ...fields });
  }

  note(text: string): void {
    this.say({ note: text });
  }

  /** Only the end of a piece: lines cost money. */
  progress(stage: string, piece: string, done: number, total: number): void {
    if (done === total) this.say({ stage, piece, images: total });
  }

  /** @param dimension beside the environment: `Queue` or `Stage` and its name; null: the environment alone */
  measure(
    environment: string,
    dimension: readonly ['Queue' | 'Stage', string] | null,
    values: readonly Metric[],
  ): void {
    const [kind, name] = dimension ?? [];
    say({
      _aws: {
        Timestamp: Date.now(),
        CloudWatchMetrics: [
          {
            Namespace: metrics.namespace,
            Dimensions: [kind ? ['Environment', kind] : ['Environment']],
            Metrics: values.map(({ name: metric, unit }) => ({ Name: metric, Unit: unit })),
          },
        ],
      },
      Environment: environment,
      ...(kind && { [kind]: name }),
      ...Object.fromEntries(values.map(({ name: metric, value }) => [metric, value])),
    });
  }
}
