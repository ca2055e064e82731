/** TypeScript types from the API's description: what `client/contract.ts` must say. */
import { openApi } from '#core/api/openapi';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** What clients meet; KServe v2 has clients of its own. */
const exported = [
  ...['Problem', 'Image', 'SegmentParams', 'SegmentRequest', 'Segmentation', 'BatchRequest', 'BatchResult'],
  ...['FeatureCollection', 'ModelSummary', 'ModelList', 'Model', 'JobRequest', 'NewJob', 'Job', 'JobList', 'Health'],
] as const;

const head = `/**
 * The API's documents as types, made from its OpenAPI description: change that, then run
 * \`npx tsx test/client/write-contract.ts\`. A test holds the two together. A table, hence long.
 */
`;

/** The text of the file, before it is formatted. */
export function contractTypes(): string {
  const schemas = openApi('types').components.schemas as Readonly<Record<string, Schema>>;
  return (
    head +
    exported
      .map(name => {
        const schema = schemas[name]!;
        const subject = comment(schema.description);
        return schema.properties && !schema.oneOf
          ? `\n${subject}export interface ${name} ${typeOf(schema)}\n`
          : `\n${subject}export type ${name} = ${typeOf(schema)};\n`;
      })
      .join('')
  );
}

const comment = (text: string | undefined) => (text ? `/** ${text.replaceAll('*/', '* /')} */\n` : '');

const literal = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value));

function typeOf(schema: Schema): string {
  if (schema.$ref) return schema.$ref.split('/').at(-1)!;
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(' | ');
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives) return [...new Set(alternatives.map(typeOf))].join(' | ');
  if (Array.isArray(schema.type)) return schema.type.map(type => typeOf({ ...schema, type })).join(' | ');
  switch (schema.type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'array':
      return arrayOf(schema);
    case 'object':
      return objectOf(schema);
    default:
      throw new Error(`no type for ${JSON.stringify(schema)}`);
  }
}

function arrayOf({ items, minItems, maxItems }: Schema): string {
  const item = typeOf(items!);
  if (minItems !== undefined && minItems === maxItems) return `readonly [${Array(minItems).fill(item).join(', ')}]`;
  const compound = items!.oneOf ?? items!.anyOf ?? items!.enum ?? items!.items;
  return `readonly ${compound ? `(${item})` : item}[]`;
}

function objectOf({ properties, required = [], additionalProperties }: Schema): string {
  if (!properties) {
    return `Readonly<Record<string, ${typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown'}>>`;
  }
  const lines = Object.entries(properties).map(
    ([name, schema]) =>
      `${schema.$ref ? '' : comment(schema.description)}readonly ${name}${required.includes(name) ? '' : '?'}: ${typeOf(schema)};`,
  );
  return `{\n${lines.join('\n')}\n}`;
}
