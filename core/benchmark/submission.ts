/** A submission: what lies in its zip and which of it counts (`method.txt`, `match.json`, one folder per class). */
import { PermanentError } from '../errors.ts';

/** The six lines of method.txt, in order. */
export const methodLines = [
  'Method name',
  'Training data',
  'Training scheme',
  'Networks',
  'Paper/Project link',
  'Method description',
] as const;

export interface Method {
  readonly name: string;
  readonly data: string;
  readonly scheme: string;
  readonly networks: string;
  readonly link: string;
  readonly description: string;
}

/** Longer lines are cut: a table has to hold them. */
const longest = 500;

/** @throws PermanentError that says which line is missing */
export function parseMethod(text: string): Method {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  const values = methodLines.map((label, i) => {
    const line = lines[i] ?? '';
    if (!line.toLowerCase().startsWith(`${label.toLowerCase()}:`)) {
      throw new PermanentError(`method.txt: line ${i + 1} does not begin with "${label}:"`);
    }
    return line
      .slice(label.length + 1)
      .trim()
      .slice(0, longest);
  });
  const [name, data, scheme, networks, link] = values as [string, string, string, string, string, string];
  if (name === '') throw new PermanentError('method.txt: the method has no name');
  // A description may go on over further lines.
  const description = [values[5]!, ...lines.slice(methodLines.length)]
    .join(' ')
    .trim()
    .slice(0, 4 * longest);
  return { name, data, scheme, networks, link, description };
}

/** An empty form. */
export const methodForm = (): string => `${methodLines.map(label => `${label}: `).join('\n')}\n`;

/** How protocols are called: a part of the benchmark, then the size of the subset or a data set's own name. */
const protocolForm = /^(unsupervised|distance|semi-supervised|free)-([A-Za-z0-9][A-Za-z0-9._]{0,39})$/;

export const isProtocol = (name: string): boolean => protocolForm.test(name);

/** The set of a protocol: `50` of `unsupervised-50`. */
export const setOf = (protocol: string): string => protocolForm.exec(protocol)?.[2] ?? '';

/** Whether masks of a protocol carry cluster ids, which a match.json has to translate. */
export const needsMatching = (protocol: string): boolean => protocol.startsWith('unsupervised-');

/** The submitter is the part of the file's name before the first `-`. @throws PermanentError for a name without one */
export function submitterOf(file: string): string {
  const [, submitter] = /^([A-Za-z0-9._]{1,40})-[A-Za-z0-9._-]{1,100}\.zip$/.exec(file) ?? [];
  if (submitter) return submitter;
  throw new PermanentError(`${file}: name the file SUBMITTER-NAME.zip, in letters, digits, ".", "_" and "-"`);
}
