/** Progress for people, on stderr: one bar per stage on a terminal, a line now and then elsewhere. */
import type { Clock, Log } from '#pipeline/ports';
import { systemClock } from './system-clock.ts';

/** As much of a stream as the log needs; process.stderr is one. */
export interface LogStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

const redrawMilliseconds = 100;
const lineMilliseconds = 15_000;
const barWidth = 24;

interface Stage {
  readonly name: string;
  /** Done and total by piece. */
  readonly pieces: Map<string, { done: number; total: number }>;
  readonly startedAt: number;
  /** Done when first heard of: what an earlier run left behind has no part in the rate. */
  readonly doneBefore: number;
  done: number;
  total: number;
  lastShown: number;
  shownFinished: boolean;
}

const isFinished = ({ done, total }: Stage): boolean => total > 0 && done >= total;

/** Never throws and never decides anything: a lost terminal is no reason to lose a night's work. */
export class TerminalLog implements Log {
  readonly #stream: LogStream;
  readonly #clock: Clock;
  readonly #stages = new Map<string, Stage>();
  /** The stage behind whose bar the cursor stands. */
  #bar: Stage | undefined;

  constructor(stream: LogStream = process.stderr, clock: Clock = systemClock) {
    this.#stream = stream;
    this.#clock = clock;
    // A closed pipe reports itself later, as an event that would end the process.
    stream.on('error', () => undefined);
  }

  progress(name: string, piece: string, done: number, total: number): void {
    const stage = this.#stage(name, done);
    const before = stage.pieces.get(piece) ?? { done: 0, total: 0 };
    stage.pieces.set(piece, { done, total });
    stage.done += done - before.done;
    stage.total += total - before.total;
    if (this.#isDue(stage)) this.#show(stage);
  }

  note(text: string): void {
    this.#write(`${this.#leaveBar()}${text}\n`);
  }

  /** Ends the line of a bar, so that what is printed next begins a line. */
  close(): void {
    if (this.#bar) this.#write('\n');
    this.#bar = undefined;
  }

  #isDue(stage: Stage): boolean {
    const waited = this.#clock.now() - stage.lastShown;
    if (this.#stream.isTTY) return isFinished(stage) || waited >= redrawMilliseconds;
    // Pieces make themselves known one by one, so a stage may look finished many times.
    return (isFinished(stage) && !stage.shownFinished) || waited >= lineMilliseconds;
  }

  #stage(name: string, done: number): Stage {
    const known = this.#stages.get(name);
    if (known) return known;
    const now = this.#clock.now();
    const stage = {
      name,
      pieces: new Map(),
      startedAt: now,
      doneBefore: done,
      done: 0,
      total: 0,
      lastShown: Number.NEGATIVE_INFINITY,
      shownFinished: false,
    };
    this.#stages.set(name, stage);
    return stage;
  }

  #show(stage: Stage): void {
    const now = this.#clock.now();
    stage.lastShown = now;
    stage.shownFinished ||= isFinished(stage);
    if (!this.#stream.isTTY) {
      this.#write(`${describe(stage, now, 0)}\n`);
      return;
    }
    const line = describe(stage, now, barWidth).slice(0, (this.#stream.columns ?? 80) - 1);
    this.#write(`${this.#leaveBar(stage)}${line}`);
    this.#bar = stage;
  }

  /** What to write before anything else: a bar that may still move is wiped, a finished one stays. */
  #leaveBar(next?: Stage): string {
    const bar = this.#bar;
    this.#bar = undefined;
    if (bar === undefined) return '';
    return bar !== next && isFinished(bar) ? '\n' : '\r\x1b[K';
  }

  #write(text: string): void {
    try {
      this.#stream.write(text);
    } catch {
      // Nobody is listening any more.
    }
  }
}

/** "embed   ██████░░░░  1,234 of 5,000  87/s  43 s left" */
function describe({ name, done, total, startedAt, doneBefore }: Stage, now: number, width: number): string {
  const seconds = (now - startedAt) / 1000;
  const rate = seconds > 0 ? Math.max(done - doneBefore, 0) / seconds : 0;
  const share = total > 0 ? Math.min(Math.max(done / total, 0), 1) : 0;
  const full = Math.round(share * width);
  const parts = [
    name.padEnd(9),
    width > 0 ? `${'█'.repeat(full)}${'░'.repeat(width - full)}` : `${Math.floor(share * 100)} %`.padStart(5),
    `${number(done)} of ${number(total)}`,
  ];
  if (rate > 0) parts.push(`${rate < 10 ? rate.toFixed(1) : number(Math.round(rate))}/s`);
  parts.push(done < total ? (rate > 0 ? `${duration((total - done) / rate)} left` : '') : `in ${duration(seconds)}`);
  return parts.filter(part => part !== '').join('  ');
}

const number = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

function duration(seconds: number): string {
  const rounded = Math.ceil(seconds);
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
  return `${Math.floor(rounded / 3600)} h ${Math.floor((rounded % 3600) / 60)} min`;
}
