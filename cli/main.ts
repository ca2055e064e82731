#!/usr/bin/env node
/** The program with all its commands. */
import { main } from './program.ts';

process.exitCode = await main();
