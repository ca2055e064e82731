/** Loaded into the CDK command line: names below localhost, as S3 makes them of buckets, are this machine. */
const dns = require('node:dns');

/** @type {any} */
const plain = dns.lookup;
/** @type {any} */
const lookup = (/** @type {string} */ name, /** @type {unknown[]} */ ...rest) =>
  plain(name.endsWith('.localhost') ? '127.0.0.1' : name, ...rest);
dns.lookup = lookup;
