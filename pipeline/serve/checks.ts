/**
 * The checks that the OpenAPI document asks for. In a bundle their code, written when it is built, takes the place of this file:
 * compiling them takes longer than a first answer should.
 */
import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import { openApi, type Parameter, routes } from '#core/api/openapi';

/** One thing that does not fit. */
export type Violated = ErrorObject;

/** Schemas of bodies. */
export type BodyName = 'SegmentRequest' | 'BatchRequest' | 'InferRequest' | 'NewJob';

/** Those of one operation that stand in one place, as one object. */
export type ParametersName = `${string}.${'query' | 'header'}`;

const bodyNames: readonly BodyName[] = ['SegmentRequest', 'BatchRequest', 'InferRequest', 'NewJob'];

/** Without `allErrors`: a hostile body could make a list of errors larger than itself. */
const options: Options = {
  strict: true,
  strictTypes: false,
  strictRequired: false,
  allowUnionTypes: true,
  validateFormats: false,
  // Tests do that; here it would cost every start.
  validateSchema: false,
};

function parametersSchema(name: ParametersName, declared: readonly Parameter[]) {
  return {
    $id: name,
    type: 'object',
    properties: Object.fromEntries(declared.map(parameter => [parameter.name, parameter.schema])),
    required: declared.filter(({ required }) => required).map(parameter => parameter.name),
  };
}

const declared = routes.flatMap(({ operation: { operationId, parameters = [] } }) =>
  (['query', 'header'] as const).map(place => {
    const name: ParametersName = `${operationId}.${place}`;
    return [name, parameters.filter(parameter => parameter.in === place)] as const;
  }),
);

const document = 'openapi';

/** Compilers that know the schemas, and where they find each: one for bodies, one for parameters, which come as text. */
export function compilers(code: Options['code'] = {}): readonly { ajv: Ajv2020; schemas: Record<string, string> }[] {
  // The document around the schemas has words of its own.
  const bodies = new Ajv2020({ ...options, code, strictSchema: false }).addSchema(openApi(''), document);
  const texts = new Ajv2020({ ...options, code, coerceTypes: true });
  for (const [name, parameters] of declared) texts.addSchema(parametersSchema(name, parameters));
  return [
    {
      ajv: bodies,
      schemas: Object.fromEntries(bodyNames.map(name => [name, `${document}#/components/schemas/${name}`])),
    },
    { ajv: texts, schemas: Object.fromEntries(declared.map(([name]) => [name, name])) },
  ];
}

let made: ReturnType<typeof compilers> | undefined;

/** Says whether a value fits the schema, and if not, why, in its `errors`. */
export function checkOf(name: BodyName | ParametersName): ValidateFunction {
  made ??= compilers();
  for (const { ajv, schemas } of made) {
    if (Object.hasOwn(schemas, name)) return ajv.getSchema(schemas[name]!)!;
  }
  throw new Error(`internal: the document has no schema ${name}`);
}
