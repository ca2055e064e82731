/** From a relative path to the URL a page may link: every segment encoded, never leading off to another host. */

/**
 * `a b/50% #1.jpg` → `a%20b/50%25%20%231.jpg`. Empty segments are dropped, so neither `/x`, `//host/x` nor `c:\x` leaves
 * the folder by anything but `..`; a scheme such as `javascript:` becomes part of an ordinary name.
 */
export function relativeUrl(path: string): string {
  return path
    .replace(/\p{Cs}/gu, '\ufffd')
    .split('/')
    .filter(segment => segment !== '')
    .map(encodeURIComponent)
    .join('/');
}
