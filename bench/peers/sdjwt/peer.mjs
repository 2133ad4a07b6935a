// node @sd-jwt as a contender: a line {op, n} on stdin is answered by the CPU microseconds those n operations took.
import { createInterface } from 'node:readline';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';
import { ES256, digest, generateSalt } from '@sd-jwt/crypto-nodejs';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const given = await read();

const verifier = await ES256.getVerifier(given.issuer_public);
const made = new SDJwtVcInstance({
  signer: await ES256.getSigner(given.issuer_private), verifier, signAlg: 'ES256',
  hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt,
  kbSigner: await ES256.getSigner(given.holder_private), kbSignAlg: 'ES256',
  kbVerifier: async (data, signature, payload) => (await ES256.getVerifier(payload.cnf.jwk))(data, signature),
});
const payload = { ...given.always, ...given.selective };
const frame = { _sd: Object.keys(given.selective) };
const operations = {
  issue: async () => made.issue(payload, frame, { header: given.header }),
  verify: async () => made.verify(given.issued),
  verify_kb: async () => made.verify(given.shown, { keyBindingNonce: given.nonce }),
};

const first = { issue: String(await operations.issue()).split('~').length, verify: !!(await operations.verify()), verify_kb: !!(await operations.verify_kb()) };
process.stdout.write(`${JSON.stringify(first)}\n`);
for (;;) {
  const line = await lines.next();
  if (line.done) break;
  const { op, n } = JSON.parse(line.value);
  const begun = process.cpuUsage();
  for (let i = 0; i < n; i += 1) await operations[op]();
  const used = process.cpuUsage(begun);
  process.stdout.write(`${JSON.stringify((used.user + used.system) / n)}\n`);
}
