import { describe, expect, it } from 'vitest';
import { stages } from '#core/job/stage';
import { readSettings, settingNames } from '#pipeline/settings';

const workQueues = Object.fromEntries(stages.map(stage => [stage, `https://sqs.example/1/${stage}`]));
const environment = {
  [settingNames.bucket]: 'a-bucket',
  [settingNames.workQueues]: JSON.stringify(workQueues),
  [settingNames.controlQueue]: 'https://sqs.example/1/control',
};

describe('readSettings', () => {
  it('reads what the building says', () => {
    expect(readSettings({ ...environment, PATH: '/bin' })).toEqual({
      bucket: 'a-bucket',
      workQueues,
      controlQueue: 'https://sqs.example/1/control',
    });
  });

  it.each(Object.values(settingNames))('names the variable that is missing: %s', name => {
    expect(() => readSettings({ ...environment, [name]: undefined })).toThrow(name);
  });

  it('names the stage that has no queue', () => {
    const { label: _, ...others } = workQueues;
    const incomplete = { ...environment, [settingNames.workQueues]: JSON.stringify(others) };
    expect(() => readSettings(incomplete)).toThrow('SELFLABEL_WORK_QUEUES.label');
    expect(() => readSettings({ ...environment, [settingNames.workQueues]: 'q' })).toThrow('SELFLABEL_WORK_QUEUES');
  });
});
