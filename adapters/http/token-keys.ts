/** The public keys of whoever signs tokens (JWKS), from the address the operator gave. */
import { PermanentError } from '#core/errors';

/** @param address http(s); the operator's own, so it may be private */
export async function fetchTokenKeys(address: string): Promise<unknown> {
  const answer = await fetch(address, { signal: AbortSignal.timeout(10_000), redirect: 'error' });
  if (!answer.ok)
    throw new PermanentError(`${address} answers with ${answer.status}; give the address of the JWKS document`);
  return answer.json();
}
