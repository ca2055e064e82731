/** Tells ECS's agent that this task is at work, so that scaling in and deployments leave it alone. It does not hold off Spot. */
import type { StructuredLog } from '#adapters/aws/structured-log';

/** Renewed with every message; long enough for the longest piece. */
const minutes = 120;
const timeoutMilliseconds = 5_000;

/** @param agent `ECS_AGENT_URI`; undefined outside ECS, where there is nothing to tell */
export function taskProtection(agent: string | undefined, log: Pick<StructuredLog, 'say'>) {
  return async (on: boolean): Promise<void> => {
    if (agent === undefined) return;
    try {
      const answer = await fetch(`${agent}/task-protection/v1/state`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(
          on ? { ProtectionEnabled: true, ExpiresInMinutes: minutes } : { ProtectionEnabled: false },
        ),
        signal: AbortSignal.timeout(timeoutMilliseconds),
      });
      if (!answer.ok) log.say({ note: `task protection was refused: status ${answer.status}` });
    } catch (error) {
      // Without it the work may be interrupted, which is borne: better than not to begin.
      log.say({ note: `task protection is not to be had: ${(error as Error).message}` });
    }
  };
}
