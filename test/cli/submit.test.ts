/** What `submit` can be told: all that shapes a job, and nothing about this machine. */
import { Command } from 'commander';
import { expect, it } from 'vitest';
import { registerRun } from '../../cli/run.ts';
import { registerSubmit } from '../../cli/submit.ts';

const optionsOf = (register: (program: Command) => void): string[] => {
  const program = new Command();
  register(program);
  return program.commands[0]!.options.map(({ long }) => long!);
};

// Only the command asked for is registered, so the program at hand does not know `run`.
it('takes every option of run but those about this machine, in a program that knows no other command', () => {
  const here = ['--out', '--masks', '--val-images', '--val-masks', '--threads', '--json'];
  const own = ['--job', '--masks', '--validation', '--endpoint', '--json'];
  const shaping = optionsOf(registerRun).filter(option => !here.includes(option));
  expect(shaping).toEqual(expect.arrayContaining(['--backbone', '--clusters', '--sample', '--seed', '--finetune']));
  expect(optionsOf(registerSubmit).sort()).toEqual([...shaping, ...own].sort());
});
