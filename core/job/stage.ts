/** The stages of a job, in the order in which they first run. */
export const stages = ['plan', 'attend', 'embed', 'cluster', 'label', 'finetune', 'evaluate', 'publish'] as const;

export type Stage = (typeof stages)[number];
