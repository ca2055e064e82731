#!/usr/bin/env node
/** The door on a laptop: parses the command line, plugs the adapters in, calls the pipeline. */
import { Command } from 'commander';

const program = new Command('selflabel').description('Unlabeled images in; pixel labels and a segmentation model out.');

await program.parseAsync();
