import { describe, expect, it } from 'vitest';
import { stages } from '#core/job/stage';
import {
  functionNames,
  functions,
  queueNames,
  readSettings,
  readTaskSettings,
  settingNames,
  stageHosts,
  taskNames,
  visibilitySeconds,
} from '#pipeline/settings';

const workQueues = Object.fromEntries(stages.map(stage => [stage, `https://sqs.example/1/${stage}`]));
const environment = {
  [settingNames.bucket]: 'a-bucket',
  [settingNames.workQueues]: JSON.stringify(workQueues),
  [settingNames.controlQueue]: 'https://sqs.example/1/control',
  [settingNames.liveQueue]: 'https://sqs.example/1/live',
};
const needed = Object.keys(environment);

describe('readSettings', () => {
  it('reads what the building says', () => {
    expect(readSettings({ ...environment, PATH: '/bin' })).toEqual({
      bucket: 'a-bucket',
      workQueues,
      controlQueue: 'https://sqs.example/1/control',
      liveQueue: 'https://sqs.example/1/live',
      environment: 'local',
      device: 'cpu',
    });
  });

  it.each(needed)('names the variable that is missing: %s', name => {
    expect(() => readSettings({ ...environment, [name]: undefined })).toThrow(name);
  });

  it('names the stage that has no queue', () => {
    const { label: _, ...others } = workQueues;
    const incomplete = { ...environment, [settingNames.workQueues]: JSON.stringify(others) };
    expect(() => readSettings(incomplete)).toThrow('SELFLABEL_WORK_QUEUES.label');
    expect(() => readSettings({ ...environment, [settingNames.workQueues]: 'q' })).toThrow('SELFLABEL_WORK_QUEUES');
  });
});

describe('readTaskSettings', () => {
  it('says whose queue a task works off, and refuses what is none', () => {
    const asked = { ...environment, [settingNames.task]: 'embed', [settingNames.device]: 'cuda' };
    expect(readTaskSettings(asked)).toMatchObject({ task: 'embed', device: 'cuda', threads: undefined });
    expect(() => readTaskSettings({ ...asked, [settingNames.task]: 'publish' })).toThrow('SELFLABEL_TASK');
    expect(() => readTaskSettings({ ...asked, [settingNames.device]: 'gpu' })).toThrow('SELFLABEL_DEVICE');
    expect(readTaskSettings({ ...asked, [settingNames.threads]: '3' }).threads).toBe(3);
  });
});

describe('the tables of the building', () => {
  it('give every queue one consumer, and every consumer a queue', () => {
    const sources = functionNames.map(name => functions[name].source).filter(source => source !== 'schedule');
    expect([...sources, ...taskNames].sort()).toEqual([...queueNames].sort());
    for (const stage of stages) expect(taskNames.includes(stage)).toBe(stageHosts[stage] === 'gpu');
  });

  it('hide a message for longer than its function may take', () => {
    for (const { source, timeoutSeconds } of functionNames.map(name => functions[name]))
      if (source !== 'schedule') expect(visibilitySeconds(source)).toBeGreaterThan(timeoutSeconds);
  });
});
