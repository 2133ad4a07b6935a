// The schema and its resolvers for the two hand-written Node contenders: one DataLoader per department and request.
import DataLoader from 'dataloader';
import { Agent, request } from 'undici';

const upstream = process.env.UPSTREAM;
const agent = new Agent({ connections: 16, keepAliveTimeout: 30_000 });

export const typeDefs = /* GraphQL */ `
  enum InsuranceKind { PENSION UNEMPLOYMENT MEDICAL WORK_INJURY MATERNITY }
  enum BusinessRole { LEGAL_REPRESENTATIVE SHAREHOLDER EXECUTIVE OPERATOR }
  enum BusinessStatus { OPERATING REVOKED DEREGISTERED }
  type ResidenceRecord { regNo: String address: String admin: String permitNo: String }
  type InsuranceRecord { unitName: String unitUscc: String lastPaidMonth: String kind: InsuranceKind }
  type BusinessRecord { name: String uscc: String role: BusinessRole status: BusinessStatus }
  type Residence { records: [ResidenceRecord!]! }
  type Insurance { records: [InsuranceRecord!]! }
  type Business { records: [BusinessRecord!]! }
  type Person { residence: Residence! insurance: Insurance! business: Business! }
  input PersonKey { idNo: String! name: String! }
  type Query {
    people(of: [PersonKey!]!): [Person!]!
    person(idNo: String!, name: String!): Person
  }
`;

export const resolvers = {
  Query: {
    people: (_, { of }) => of,
    person: (_, key) => key,
  },
  Person: {
    residence: (person, _, { loaders }) => loaders.residence.load(person),
    insurance: (person, _, { loaders }) => loaders.insurance.load(person),
    business: (person, _, { loaders }) => loaders.business.load(person),
  },
};

function loader(department) {
  return new DataLoader(
    async (keys) => {
      const { statusCode, body } = await request(`${upstream}/${department}/batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ keys: keys.map(({ idNo, name }) => ({ idNo, name })) }),
        dispatcher: agent,
      });
      if (statusCode !== 200) throw new Error(`${department}: ${statusCode}`);
      const { list } = await body.json();
      const found = new Map(keys.map(({ idNo }) => [idNo, []]));
      for (const record of list) found.get(record.idNo)?.push(record);
      return keys.map(({ idNo }) => ({ records: found.get(idNo) }));
    },
    { cacheKeyFn: ({ idNo, name }) => `${idNo} ${name}` },
  );
}

export const context = () => ({
  loaders: { residence: loader('residence'), insurance: loader('insurance'), business: loader('business') },
});
