/** Holds requests, answers and documents against the API's own description. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApi, type Parameter, type Route, routes } from '#core/api/openapi';

const description = openApi('test');
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ ...description, $id: 'api' });

/** What of a value violates a schema, in words. References in it point into the description. */
function breaches(schema: object, value: unknown): string[] {
  const text = JSON.stringify(schema).replaceAll('"#/components', '"api#/components');
  const validate = ajv.compile(JSON.parse(text));
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** What of a document violates a schema of the description by its name; empty where nothing does. */
export const violations = (schema: string, document: unknown): string[] =>
  breaches({ $ref: `#/components/schemas/${schema}` }, document);

/** The route that a request is for; of several the one with the fewest placeholders. */
function routeOf(method: string, path: string): Route | undefined {
  const pattern = (route: Route) => new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+')}$`);
  const fits = routes.filter(route => route.method === method.toLowerCase() && pattern(route).test(path));
  return fits.sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0];
}

const essence = (type: string | null) => (type ?? '').split(';')[0]!.trim();

/** A text of a query or header as the value it stands for. */
function parsed({ schema }: Parameter, text: string): unknown {
  if (schema.type === 'array') {
    const items = schema.items as Parameter['schema'];
    return text === '' ? [] : text.split(',').map(item => parsed({ schema: items } as Parameter, item));
  }
  return schema.type === 'number' || schema.type === 'integer' ? Number(text) : text;
}

async function requestBreaches(request: Request, { operation }: Route): Promise<string[]> {
  const found: string[] = [];
  const parameters = operation.parameters ?? [];
  for (const [name, text] of new URL(request.url).searchParams) {
    const parameter = parameters.find(one => one.in === 'query' && one.name === name);
    if (parameter) found.push(...breaches(parameter.schema, parsed(parameter, text)).map(words => `${name}${words}`));
    else found.push(`no parameter ${name}`);
  }
  for (const parameter of parameters.filter(one => one.in === 'header')) {
    const text = request.headers.get(parameter.name);
    if (text !== null) found.push(...breaches(parameter.schema, parsed(parameter, text)));
  }
  if (!operation.requestBody) return found;
  const type = essence(request.headers.get('content-type'));
  const content = operation.requestBody.content[type];
  if (!content) return [...found, `no request of type ${type}`];
  return type === 'application/json' ? [...found, ...breaches(content.schema!, await request.json())] : found;
}

async function responseBreaches(response: Response, { operation }: Route): Promise<string[]> {
  const named = operation.responses[String(response.status)];
  if (!named) return [`no answer with ${response.status}`];
  const answer = '$ref' in named ? description.components.responses[named.$ref.split('/').at(-1)!]! : named;
  const type = essence(response.headers.get('content-type'));
  const content = (answer.content as Record<string, { schema?: object }> | undefined)?.[type];
  if (!content) return [`no answer of type ${type} with ${response.status}`];
  return type.endsWith('json') && content.schema ? breaches(content.schema, await response.json()) : [];
}

/** A `fetch` that notes in `found` whatever the description does not allow, in both directions. */
export const checkedFetch =
  (found: string[], inner: (request: Request) => Promise<Response> = request => fetch(request)): typeof fetch =>
  async (input, init) => {
    const request = new Request(input as string, init);
    const path = new URL(request.url).pathname;
    const route = routeOf(request.method, path);
    const note = (words: string[]) => found.push(...words.map(one => `${request.method} ${path}: ${one}`));
    if (!route) note(['no such route']);
    else note(await requestBreaches(request.clone() as Request, route));
    const response = await inner(request);
    if (route) note(await responseBreaches(response.clone() as Response, route));
    return response;
  };
