/** Requests made from the document itself, right and wrong ones: each gets a documented answer, never a 500, and memory is back afterwards. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Parameter, type Route, routes } from '#core/api/openapi';
import { type JsonSchema, schemas } from '#core/api/schemas';
import { boastingPng } from '../../contracts/plain-png.ts';
import { type ApiWorld, apiWorld, assertDocumented, closesApi, png } from './api-world.ts';
import { painting, publishSmall } from './small-model.ts';

closesApi();

const picture = png(painting(['rg', 'b.'], 8));
const base64 = Buffer.from(picture).toString('base64');

/** Values that have broken servers before. */
const nasty = fc.constantFrom<unknown>(
  ...[
    '',
    ' ',
    '\0',
    '../..',
    '%2e%2e',
    'small',
    'own',
    's3://own/a',
    's3://x/y',
    'http://169.254.169.254/',
    '\ud800',
    '💥',
  ],
  ...['NaN', '1e999', '-0', '__proto__', 'constructor', '{}', '[]', 'null', '$ref', 'a'.repeat(300), base64, 'AAAA'],
  ...[0, -1, 1, 1.5, 300, 65536, 2 ** 53, 1e308, true, false, null, [], {}, [[]], { __proto__: 1 }],
);

const targetOf = (schema: JsonSchema): JsonSchema => {
  const name = (schema.$ref as string | undefined)?.replace('#/components/schemas/', '');
  return name ? (schemas[name as keyof typeof schemas] as JsonSchema) : schema;
};

/** Mostly what the schema asks for, now and then something else. */
function valueFor(given: JsonSchema, depth = 0): fc.Arbitrary<unknown> {
  const schema = targetOf(given);
  const right = rightFor(schema, depth);
  return fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: nasty });
}

function rightFor(schema: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const choices = (schema.oneOf ?? schema.anyOf) as JsonSchema[] | undefined;
  if (choices) return fc.oneof(...choices.map(choice => valueFor(choice, depth)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...(schema.enum as unknown[]));
  if (depth > 6) return nasty;
  switch (schema.type) {
    case 'integer':
      return fc.integer({
        min: (schema.minimum as number) ?? -5,
        max: Math.min((schema.maximum as number) ?? 500, 500),
      });
    case 'number':
      return fc.double({ noDefaultInfinity: true, noNaN: true, min: -2, max: 2 });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(valueFor(schema.items as JsonSchema, depth + 1), { maxLength: 4 });
    case 'object':
      return objectFor(schema, depth);
    default:
      return fc.oneof(fc.constantFrom(base64, 'small', 's3://own/a.png', 'datasets/d/', 'BYTES', 'image'), fc.string());
  }
}

function objectFor({ properties = {}, required = [] }: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const entries = Object.entries(properties as Record<string, JsonSchema>);
  const parts = Object.fromEntries(entries.map(([name, schema]) => [name, valueFor(schema, depth + 1)]));
  const object = fc.record(parts, { requiredKeys: [...(required as string[])] });
  const surplus = fc.tuple(object, fc.string(), nasty).map(([value, key, extra]) => ({ ...value, [key]: extra }));
  return fc.oneof({ weight: 10, arbitrary: object }, { weight: 1, arbitrary: surplus });
}

const textOf = (value: unknown): string => (Array.isArray(value) ? value.map(String).join(',') : String(value));

const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

/** Sometimes there, mostly right. */
const given = (parameters: readonly Parameter[], place: Parameter['in']) =>
  fc.record(
    Object.fromEntries(
      parameters.filter(one => one.in === place).map(({ name, schema }) => [name, valueFor(schema).map(textOf)]),
    ),
    { requiredKeys: [] },
  ) as fc.Arbitrary<Record<string, string>>;

const bodies = fc.oneof(
  fc.constantFrom(
    picture,
    boastingPng(60_000, 60_000),
    picture.subarray(0, 60),
    new Uint8Array(0),
    new TextEncoder().encode('<svg/>'),
  ),
  fc.uint8Array({ maxLength: 200 }),
);

interface Asked {
  readonly route: Route;
  readonly request: () => Request;
}

const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, '').slice(0, 100);

/** The path keeps its shape, so that the answer is one of this route. */
const nameInPath = fc.oneof(
  fc.constantFrom('small', 'nobody', '%00', '..%2f..', 'a b', "'; drop table", '%zz'),
  fc
    .string({ minLength: 1, maxLength: 80 })
    .map(encodeURIComponent)
    .filter(text => !/^\.{1,2}$/.test(text) && text !== ''),
);

function asking(route: Route): fc.Arbitrary<Asked> {
  const { parameters = [], requestBody } = route.operation;
  const types = Object.keys(requestBody?.content ?? {});
  const json = requestBody?.content['application/json']?.schema;
  const body = fc.oneof(
    bodies,
    ...(json
      ? [fc.constant(json), fc.constant(json)].map(() =>
          valueFor(json).map(value => Buffer.from(JSON.stringify(value) ?? '')),
        )
      : []),
  );
  return fc
    .record({
      name: nameInPath,
      query: given(parameters, 'query'),
      surplus: seldom(fc.tuple(fc.string(), fc.string())),
      headers: given(parameters, 'header'),
      accept: seldom(fc.constantFrom('*/*', 'image/png', 'application/geo+json', 'text/html', 'a;q=x,,', ';;;')),
      type: fc.oneof(
        fc.constantFrom(...types, 'application/json'),
        fc.constantFrom('text/plain', '', 'image/png; x=1'),
      ),
      body,
      likely: fc.boolean(),
    })
    .map(({ name, query, surplus, headers, accept, type, body, likely }) => ({
      route,
      request: () => {
        const search = new URLSearchParams([...Object.entries(query), ...(surplus ? [surplus] : [])]);
        const all = new Headers();
        for (const [key, value] of Object.entries(headers)) all.set(key, headerText(value));
        if (accept) all.set('accept', accept);
        const isJson = body[0] === 0x7b || body[0] === 0x5b;
        if (route.method === 'post')
          all.set('content-type', likely ? (isJson ? 'application/json' : types.at(0)!) : type);
        return new Request(`http://localhost${route.path.replace(/\{\w+\}/, name)}?${search}`, {
          method: route.method.toUpperCase(),
          headers: all,
          ...(route.method === 'post' && { body: body as Uint8Array<ArrayBuffer> }),
        });
      },
    }));
}

const collectGarbage = (): void => {
  setFlagsFromString('--expose_gc');
  (runInNewContext('gc') as () => void)();
};

const heldMegabytes = (): number => {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
};

describe('the document, fuzzed', () => {
  let world: ApiWorld;
  const seen = new Map<number, number>();

  beforeAll(async () => {
    world = apiWorld();
    await publishSmall(world.store);
    await world.store.put('a.png', picture);
  });

  const ask = async ({ route, request }: Asked): Promise<void> => {
    const response = await world.app.fetch(request());
    if (response.status === 500) throw new Error(world.lines.at(-1)!.stack);
    seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
    await assertDocumented(route, response);
  };

  it('is kept by every answer', async () => {
    const runs = Number(process.env.FUZZ_RUNS ?? 250);
    const any = fc.oneof(
      ...routes.flatMap(route => Array.from({ length: route.method === 'post' ? 4 : 1 }, () => asking(route))),
    );
    await fc.assert(fc.asyncProperty(any, ask), { numRuns: runs });
    // Or it would prove little.
    for (const status of [200, 400, 404, 415]) expect(seen.get(status) ?? 0, `${status}`).toBeGreaterThan(0);
  });

  it('leaves no memory behind', async () => {
    const hostile = fc.sample(fc.oneof(...routes.filter(({ method }) => method === 'post').map(asking)), {
      numRuns: 60,
      seed: 1,
    });
    const round = async () => {
      for (const one of hostile) await ask(one);
    };
    await round();
    world.lines.length = 0;
    const before = heldMegabytes();
    for (let i = 0; i < 3; i++) await round();
    world.lines.length = 0;
    expect(heldMegabytes() - before).toBeLessThan(8);
    expect((await world.app.fetch(new Request('http://localhost/readyz'))).status).toBe(200);
  });
});
