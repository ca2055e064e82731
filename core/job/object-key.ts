/** Which keys every store can hold, be it a bucket or a folder. */
import { PermanentError } from '../errors.ts';

/** @throws PermanentError for keys that would leave a folder or that no folder can hold */
export function assertKey(key: string): void {
  const segments = key.split('/');
  const unfit = segments.some(segment => segment === '' || segment === '.' || segment === '..');
  if (unfit || /[\0\p{Surrogate}]/u.test(key)) {
    throw new PermanentError(`${JSON.stringify(key)} is no name for a stored file; use names joined by single slashes`);
  }
}
