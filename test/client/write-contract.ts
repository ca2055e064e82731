/** Writes client/contract.ts anew from the API's description. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { contractTypes } from './contract-types.ts';

const file = fileURLToPath(new URL('../../client/contract.ts', import.meta.url));
writeFileSync(file, contractTypes());
execFileSync('npx', ['biome', 'check', '--write', file], { stdio: 'inherit' });
