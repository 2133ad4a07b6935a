// Runs graphql-http's audits against the URL given; prints one JSON object: audit -> "ok" or why not.
import { createRequire } from 'node:module';

const [folder, url, token] = process.argv.slice(2);
const { auditServer } = createRequire(`${folder}/package.json`)('graphql-http');
const results = await auditServer({
  url,
  fetchFn: (address, options = {}) =>
    fetch(address, {
      ...options,
      headers: { ...options.headers, authorization: `Bearer ${token}`, 'graphql-require-preflight': '1' },
    }),
});
const found = {};
for (const one of results) found[`${one.id} ${one.name}`] = one.status === 'ok' ? 'ok' : `${one.status}: ${one.reason}`;
console.log(JSON.stringify(found));
