// Mesh: three REST departments as JSON Schema subgraphs; what hangs them on a person is `@resolveTo` with `keysArg`,
// Mesh's own batching: one request a department for all persons of a list.
import { defineConfig } from '@graphql-mesh/compose-cli';
import { loadJSONSchemaSubgraph } from '@omnigraph/json-schema';

const upstream = process.env.UPSTREAM;
const text = { type: 'string' };
const oneOf = (title, values) => ({ title, type: 'string', enum: values });
const departments = {
  residence: { regNo: text, address: text, admin: text, permitNo: text },
  insurance: {
    unitName: text,
    unitUscc: text,
    lastPaidMonth: text,
    kind: oneOf('InsuranceKind', ['PENSION', 'UNEMPLOYMENT', 'MEDICAL', 'WORK_INJURY', 'MATERNITY']),
  },
  business: {
    name: text,
    uscc: text,
    role: oneOf('BusinessRole', ['LEGAL_REPRESENTATIVE', 'SHAREHOLDER', 'EXECUTIVE', 'OPERATOR']),
    status: oneOf('BusinessStatus', ['OPERATING', 'REVOKED', 'DEREGISTERED']),
  },
};
const capital = (word) => word[0].toUpperCase() + word.slice(1);

const subgraph = (name, fields) => ({
  sourceHandler: loadJSONSchemaSubgraph(name, {
    endpoint: upstream,
    operations: [
      {
        type: 'Query',
        field: `${name}Of`,
        path: `/${name}/grouped`,
        method: 'POST',
        requestSchema: {
          title: `${capital(name)}Keys`,
          type: 'object',
          properties: { keys: { type: 'array', items: text } },
        },
        responseSchema: {
          type: 'array',
          items: {
            title: capital(name),
            type: 'object',
            properties: {
              idNo: text,
              records: { type: 'array', items: { title: `${capital(name)}Record`, type: 'object', properties: fields } },
            },
          },
        },
      },
    ],
  }),
});

const link = (name) => `${name}: ${capital(name)} @resolveTo(
  sourceName: "${name}", sourceTypeName: "Query", sourceFieldName: "${name}Of",
  requiredSelectionSet: "{ idNo }", keyField: "idNo", keysArg: "input.keys")`;

export const composeConfig = defineConfig({
  subgraphs: Object.entries(departments).map(([name, fields]) => subgraph(name, fields)),
  additionalTypeDefs: /* GraphQL */ `
    type Person { idNo: String name: String ${Object.keys(departments).map(link).join(' ')} }
    input PersonKey { idNo: String! name: String! }
    extend type Query {
      people(of: [PersonKey!]!): [Person!]!
      person(idNo: String!, name: String!): Person
    }
  `,
});
