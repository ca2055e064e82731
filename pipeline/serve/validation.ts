/** The OpenAPI document at work: what comes in is held against its schemas, and against nothing else. */
import { openApi, type Parameter } from '#core/api/openapi';
import { programVersion } from '../version.ts';
import { type BodyName, checkOf, type ParametersName, type Violated } from './checks.ts';
import { Problem, type Violation } from './problem.ts';

/** The document as served. */
export const document = openApi(programVersion);

/** @throws Problem 400 naming what violates the schema of that name */
export function validate<T>(name: BodyName, value: unknown, root = ''): T {
  const check = checkOf(name);
  if (!check(value)) throw violation(check.errors ?? [], root);
  return value as T;
}

const violation = (errors: readonly Violated[], root: string): Problem => {
  const list = telling(errors)
    .slice(0, 10)
    .map((error): Violation => {
      const extra = (error.params as { additionalProperty?: string }).additionalProperty;
      const what = extra === undefined ? '' : ` (“${extra.slice(0, 60)}”)`;
      return { path: `${root}${error.instancePath}`, message: `${error.message ?? error.keyword}${what}` };
    });
  const [first] = list;
  return new Problem('malformed', first ? `${first.path || 'the body'} ${first.message}` : 'invalid', { errors: list });
};

/**
 * Where exactly one of several forms is wanted, each complains about not being the one that was meant: what is said instead is
 * what is wrong inside of one, else the properties that they ask for.
 */
function telling(errors: readonly Violated[]): readonly Violated[] {
  const choice = errors.find(({ keyword }) => keyword === 'oneOf');
  if (!choice) return errors;
  const inside = errors.filter(({ instancePath }) => instancePath.startsWith(`${choice.instancePath}/`));
  if (inside.length > 0) return inside;
  const asked = errors.flatMap(({ instancePath, params }) =>
    instancePath === choice.instancePath ? [params.missingProperty ?? params.additionalProperty ?? []].flat() : [],
  );
  const forms = [...new Set(asked as string[])].map(name => name.slice(0, 60));
  return [{ ...choice, message: forms.length > 0 ? `must have exactly one of ${forms.join(', ')}` : choice.message! }];
}

/** The parameters an operation declares in one place, as one checked object. */
export class Parameters {
  readonly #name: ParametersName;
  readonly #declared: readonly Parameter[];

  /** @param name what `checkOf` knows them by */
  constructor(name: ParametersName, declared: readonly Parameter[]) {
    this.#name = name;
    this.#declared = declared;
  }

  get names(): readonly string[] {
    return this.#declared.map(({ name }) => name);
  }

  /** @param given texts by name; several of one name are a list. @throws Problem 400 */
  read(given: (name: string) => readonly string[]): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    for (const { name, schema, explode } of this.#declared) {
      const texts = given(name);
      if (texts.length === 0) continue;
      const list = explode === false ? texts.flatMap(text => text.split(',')) : texts;
      if (schema.type !== 'array' && list.length > 1) {
        throw new Problem('malformed', `${name} is given more than once`, {
          errors: [{ path: name, message: 'is given more than once' }],
        });
      }
      // An empty list is written as an empty text.
      values[name] = schema.type !== 'array' ? list[0] : list.length === 1 && list[0] === '' ? [] : list;
    }
    if (this.#declared.length === 0) return values;
    const check = checkOf(this.#name);
    if (!check(values)) throw violation(check.errors ?? [], '');
    // A text as 1e999 becomes a number, but none that anything can be done with.
    const endless = Object.keys(values).find(
      name => typeof values[name] === 'number' && !Number.isFinite(values[name]),
    );
    if (endless)
      throw new Problem('malformed', `${endless} must be a number`, {
        errors: [{ path: endless, message: 'must be finite' }],
      });
    return values;
  }
}
