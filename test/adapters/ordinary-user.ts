/** Permissions mean nothing to the superuser, so tests of them step down for a moment. */

const nobody = 65534;

/** Runs the job as a user without privileges, if the tests run as the superuser; else as they are. */
export async function asOrdinaryUser(job: () => Promise<void>): Promise<void> {
  const superuser = process.geteuid?.() === 0;
  if (superuser) process.seteuid?.(nobody);
  try {
    await job();
  } finally {
    if (superuser) process.seteuid?.(0);
  }
}
