/** Which operation of the document a request is for. */
import { namePattern } from '#core/api/limits';
import { type Route, routes } from '#core/api/openapi';
import { Problem } from './problem.ts';
import { Parameters } from './validation.ts';

/** A route with what is worked out once. */
export interface ReadyRoute extends Route {
  readonly pattern: RegExp;
  readonly query: Parameters;
  readonly header: Parameters;
  /** Media types of the answer. */
  readonly offered: readonly string[];
  /** Media types of the body; undefined: none is read. */
  readonly taken: readonly string[] | undefined;
  /** Answered without a token. */
  readonly open: boolean;
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function ready(route: Route): ReadyRoute {
  const { path, operation } = route;
  const source = path.split(/\{(\w+)\}/).map((part, i) => (i % 2 ? `(?<${part}>[^/]+)` : escaped(part)));
  const declared = operation.parameters ?? [];
  const parametersIn = (place: 'query' | 'header') =>
    new Parameters(
      `${operation.operationId}.${place}`,
      declared.filter(parameter => parameter.in === place),
    );
  const answer = operation.responses[200] ?? operation.responses[201];
  return {
    ...route,
    pattern: new RegExp(`^${source.join('')}$`),
    query: parametersIn('query'),
    header: parametersIn('header'),
    offered: answer && 'content' in answer ? Object.keys(answer.content ?? {}) : [],
    taken: operation.requestBody && Object.keys(operation.requestBody.content),
    open: operation.security?.length === 0,
  };
}

const table = routes.map(ready);

export interface Match {
  readonly route: ReadyRoute;
  /** The names in the path. */
  readonly names: Readonly<Record<string, string>>;
}

/** @param path as it came, percent signs and all. @throws Problem 404 */
export function matchRoute(method: string, path: string): Match {
  const here = table.filter(({ pattern }) => pattern.test(path));
  const wanted = method === 'HEAD' ? 'get' : method.toLowerCase();
  const route = here.find(one => one.method === wanted);
  if (!route) {
    const allow = here.map(one => one.method.toUpperCase()).join(', ');
    if (allow) throw new Problem('no-route', `${path} answers ${allow}`, { headers: { allow } });
    throw new Problem('no-route', 'GET /openapi.json lists the routes');
  }
  const names = { ...route.pattern.exec(path)!.groups };
  for (const name of Object.values(names)) assertName(route, name);
  return { route, names };
}

const nameRule = new RegExp(namePattern);

/** What is no name can be no model and no job. */
function assertName({ path }: Route, name: string): void {
  if (nameRule.test(name)) return;
  const what = path.startsWith('/v1/jobs') ? 'unknown-job' : 'unknown-model';
  throw new Problem(what, 'names consist of letters, digits, “.”, “_” and “-”, at most 63');
}
