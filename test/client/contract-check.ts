/** Holds documents against the API's own description: what is sent and what is answered. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApi, routes } from '#core/api/openapi';

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema(openApi('test'), 'api');

/** What of a document violates a schema of the description, in words; empty where nothing does. */
export function violations(schema: string, document: unknown): string[] {
  const validate = ajv.getSchema(`api#/components/schemas/${schema}`);
  if (!validate) throw new Error(`the description has no schema ${schema}`);
  validate(document);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** The route of the description that a request is for, by the fewest placeholders. */
export function routeOf(method: string, path: string) {
  const fits = routes.filter(
    route =>
      route.method === method.toLowerCase() && new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
  return fits.sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0];
}
