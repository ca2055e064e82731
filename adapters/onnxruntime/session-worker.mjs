/** Runs sessions in a worker thread, because `session.run` blocks the thread that calls it. */
