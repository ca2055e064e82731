/** Numbers as people read them, the same in every locale. */

/** 1234567 → `1,234,567`; fractions are rounded. */
export const countText = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');

/** `1 image`, `2,000 images`. */
export const countOf = (value: number, one: string, many = `${one}s`): string =>
  `${countText(value)} ${value === 1 ? one : many}`;

/** Large counts in short: 950 → `950`, 12345 → `12.3 k`, 4200000 → `4.2 M`. */
export function shortCount(value: number): string {
  if (value < 10_000) return countText(value);
  const [unit, size] =
    value < 999_500 ? (['k', 1e3] as const) : value < 999_500_000 ? (['M', 1e6] as const) : (['G', 1e9] as const);
  return `${threeDigits(value / size)} ${unit}`;
}

/** 0 … 1 → percent. What is not quite none or not quite all says so: `<0.1%`, `>99.9%`. */
export function percentText(share: number): string {
  if (share > 0 && share < 0.001) return '<0.1%';
  if (share < 1 && share > 0.999) return '>99.9%';
  return `${(share * 100).toFixed(1)}%`;
}

/** Two decimals: cosines, confidences, thresholds. */
export const ratioText = (value: number): string =>
  value
    .toFixed(2)
    .replace(/^-0\.00$/, '0.00')
    .replace('-', '−');

/** Seconds → `0.4 s`, `42 s`, `12 min 4 s`, `3 h 20 min`. */
export function durationText(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min${whole % 60 ? ` ${whole % 60} s` : ''}`;
  const rest = Math.round(seconds / 60) % 60;
  return `${countText(Math.floor(Math.round(seconds / 60) / 60))} h${rest ? ` ${rest} min` : ''}`;
}

/** An estimate in no more digits than it deserves: `40 s`, `20 min`, `2 h 10 min`. */
export function roughDurationText(seconds: number): string {
  if (seconds <= 50) return `${Math.ceil(seconds / 10) * 10} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = (Math.round(minutes / 10) * 10) % 60;
  return `${countText(Math.floor(Math.round(minutes / 10) / 6))} h${rest ? ` ${rest} min` : ''}`;
}

/** How many in a second: 0.83, 9.1, 1,240. */
export const rateText = (perSecond: number): string =>
  perSecond < 1 ? perSecond.toFixed(2) : perSecond < 100 ? perSecond.toFixed(1) : countText(perSecond);

/** Bytes → `640 kB`, `1.3 GB` (powers of ten). */
export function bytesText(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  const [unit, size] =
    bytes < 999_500 ? (['kB', 1e3] as const) : bytes < 999_500_000 ? (['MB', 1e6] as const) : (['GB', 1e9] as const);
  return `${threeDigits(bytes / size)} ${unit}`;
}

const months = 'January February March April May June July August September October November December'.split(' ');

/** ISO time in UTC → `23 November 2026, 18:42 UTC`. Anything else is shown as it is. */
export function timeText(iso: string): string {
  const [, year, month, day, time] = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d)\S*Z$/.exec(iso) ?? [];
  const name = months[Number(month) - 1];
  return name ? `${Number(day)} ${name} ${year}, ${time} UTC` : iso;
}

const threeDigits = (value: number): string => (value < 99.95 ? value.toFixed(1) : String(Math.round(value)));
