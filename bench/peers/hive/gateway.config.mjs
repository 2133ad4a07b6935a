import { defineConfig } from '@graphql-hive/gateway';

export const gatewayConfig = defineConfig({
  supergraph: './supergraph.graphql',
  port: Number(process.env.PORT),
  host: '127.0.0.1',
  additionalResolvers: {
    Query: {
      people: (_, { of }) => of,
      person: (_, key) => key,
    },
  },
  logging: 'warn',
  graphiql: false,
  landingPage: false,
});
