/** Every key in the bucket is spelled here and nowhere else. */

export const requestKey = (job: string) => `jobs/${job}/request.json`;
