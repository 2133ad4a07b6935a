// An issuer on @openid4vc/openid4vci: metadata, offer, token, nonce and credential over node:http, everything in memory.
// It checks what the library checks, and what the standard leaves to the issuer: the nonce is its own and spent once. Access
// tokens are the library's own JWTs, verified by its resource server with the key from memory; with TOKENS=opaque they are
// looked up in a Map instead, which is the least an issuer could do. Signatures by jose, as in the library's own tests; SD-JWT
// VC by @sd-jwt/sd-jwt-vc. From the environment: PORT, CLAIMS (a JSON object, all of it selectively disclosable), X5C, TOKENS.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Oauth2AuthorizationServer, Oauth2ResourceServer, setGlobalConfig as oauth2Config } from '@openid4vc/oauth2';
import { Openid4vciIssuer, setGlobalConfig as vciConfig } from '@openid4vc/openid4vci';
import { ES256, digest, generateSalt } from '@sd-jwt/crypto-nodejs';
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc';
import { SignJWT, compactVerify, exportJWK, generateKeyPair, importJWK } from 'jose';

vciConfig({ allowInsecureUrls: true }); // http on this machine
oauth2Config({ allowInsecureUrls: true });
const port = Number(process.env.PORT);
const base = `http://127.0.0.1:${port}`;
const claims = JSON.parse(process.env.CLAIMS);
const x5c = JSON.parse(process.env.X5C ?? '[]');
const opaque = process.env.TOKENS === 'opaque';
const { privateKey, publicKey } = await ES256.generateKeyPair();
const made = new SDJwtVcInstance({
  signer: await ES256.getSigner(privateKey), verifier: await ES256.getVerifier(publicKey), signAlg: 'ES256',
  hasher: digest, hashAlg: 'sha-256', saltGenerator: generateSalt,
});
const frame = { _sd: Object.keys(claims) };
const configuration = 'residence';
const vct = `${base}/credentials/types/residence/1`;

const access = await generateKeyPair('ES256');
const accessJwk = { ...(await exportJWK(access.publicKey)), kid: 'access', alg: 'ES256', use: 'sig' };
const accessSigner = { method: 'jwk', alg: 'ES256', publicJwk: accessJwk };
const jwks = JSON.stringify({ keys: [accessJwk] });
const none = () => { throw new Error('not needed by an issuer of this kind'); };
const callbacks = {
  hash: async (data, alg) => new Uint8Array(createHash(alg.replace('-', '')).update(data).digest()),
  generateRandom: (n) => randomBytes(n),
  verifyJwt: async (signer, { compact }) => {
    try {
      await compactVerify(compact, await importJWK(signer.publicJwk, signer.alg));
      return { verified: true, signerJwk: signer.publicJwk };
    } catch {
      return { verified: false };
    }
  },
  signJwt: async (signer, { header, payload }) => ({
    jwt: await new SignJWT(payload).setProtectedHeader({ ...header, kid: 'access' }).sign(access.privateKey), signerJwk: accessJwk,
  }),
  fetch: async () => new Response(jwks, { headers: { 'content-type': 'application/jwk-set+json' } }), // our own jwks_uri
  encryptJwe: none, decryptJwe: none, clientAuthentication: none,
};
const issuer = new Openid4vciIssuer({ callbacks });
const server = new Oauth2AuthorizationServer({ callbacks });
const resource = new Oauth2ResourceServer({ callbacks });
const credentialIssuer = issuer.createCredentialIssuerMetadata({
  credential_issuer: base, credential_endpoint: `${base}/credential`, nonce_endpoint: `${base}/nonce`,
  credential_configurations_supported: {
    [configuration]: {
      format: 'dc+sd-jwt', vct, cryptographic_binding_methods_supported: ['jwk'],
      credential_signing_alg_values_supported: ['ES256'],
      proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
    },
  },
});
const authorizationServer = server.createAuthorizationServerMetadata({
  issuer: base, token_endpoint: `${base}/token`, jwks_uri: `${base}/jwks`, 'pre-authorized_grant_anonymous_access_supported': true,
});
const issuerMetadata = {
  credentialIssuer, authorizationServers: [authorizationServer],
  knownCredentialConfigurations: issuer.getKnownCredentialConfigurationsSupported(credentialIssuer),
};
const PRE = 'urn:ietf:params:oauth:grant-type:pre-authorized_code';
const codes = new Set();
const tokens = new Map(); // access token -> until
const nonces = new Map(); // c_nonce -> until
const issued = [];
const places = new Set();
const LIVES_MS = 300_000;

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

function answer(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function place() {
  for (;;) {
    const idx = randomBytes(4).readUInt32BE() % (1 << 24);
    if (!places.has(idx)) {
      places.add(idx);
      return idx;
    }
  }
}

async function admitted(request) {
  if (opaque) return tokens.get((request.headers.authorization ?? '').replace(/^Bearer /, '')) > Date.now();
  const { tokenPayload } = await resource.verifyResourceRequest({
    authorizationServers: [authorizationServer], resourceServer: base,
    request: { method: 'POST', url: `${base}/credential`, headers: new Headers(request.headers) },
  });
  return tokenPayload.scope === configuration;
}

async function credential(request, response) {
  if (!(await admitted(request))) return answer(response, 401, { error: 'invalid_token' });
  const { credentialConfigurationId, credentialRequest, proofs } = issuer.parseCredentialRequest({
    issuerMetadata, credentialRequest: JSON.parse(await read(request)),
  });
  if (credentialConfigurationId !== configuration || proofs?.jwt?.length !== 1) return answer(response, 400, { error: 'invalid_credential_request' });
  const [jwt] = proofs.jwt;
  const said = JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());
  const nonceExpiresAt = nonces.get(said.nonce);
  if (!nonceExpiresAt) return answer(response, 400, { error: 'invalid_nonce' });
  const { signer } = await issuer.verifyCredentialRequestJwtProof({
    issuerMetadata, jwt, expectedNonce: said.nonce, nonceExpiresAt: new Date(nonceExpiresAt),
  });
  if (!nonces.delete(said.nonce)) return answer(response, 400, { error: 'invalid_nonce' }); // used by another meanwhile
  const { kty, crv, x, y } = signer.publicJwk;
  const now = Math.floor(Date.now() / 60_000) * 60;
  const idx = place();
  const text = await made.issue(
    {
      iss: base, iat: now, nbf: now, exp: now + 30 * 86_400, vct, 'vct#integrity': `sha256-${'A'.repeat(43)}=`,
      cnf: { jwk: { kty, crv, x, y } }, status: { status_list: { idx, uri: `${base}/credentials/status/1` } }, ...claims,
    },
    frame,
    { header: { typ: 'dc+sd-jwt', kid: 'bench', ...(x5c.length ? { x5c } : {}) } },
  );
  const notificationId = randomBytes(18).toString('base64url');
  issued.push({ idx, notificationId, at: now });
  return answer(response, 200, issuer.createCredentialResponse({
    credentialRequest: { ...credentialRequest }, credentials: [{ credential: text }], notificationId,
  }));
}

const routes = {
  'GET /.well-known/openid-credential-issuer': (_, response) => answer(response, 200, credentialIssuer),
  'GET /.well-known/oauth-authorization-server': (_, response) => answer(response, 200, authorizationServer),
  'GET /offer': (_, response) => {
    const code = randomBytes(32).toString('base64url');
    codes.add(code);
    answer(response, 200, { credential_issuer: base, credential_configuration_ids: [configuration], grants: { [PRE]: { 'pre-authorized_code': code } } });
  },
  'POST /token': async (request, response) => {
    const { accessTokenRequest } = server.parseAccessTokenRequest({
      accessTokenRequest: Object.fromEntries(new URLSearchParams(await read(request))),
      request: { method: 'POST', url: `${base}/token`, headers: new Headers(request.headers) },
    });
    if (!codes.delete(accessTokenRequest['pre-authorized_code'])) return answer(response, 400, { error: 'invalid_grant' });
    const expiresInSeconds = 3600;
    if (opaque) {
      const token = randomBytes(32).toString('base64url');
      tokens.set(token, Date.now() + expiresInSeconds * 1000);
      return answer(response, 200, { access_token: token, token_type: 'Bearer', expires_in: expiresInSeconds });
    }
    return answer(response, 200, await server.createAccessTokenResponse({
      audience: base, authorizationServer: base, expiresInSeconds, subject: randomBytes(16).toString('hex'), scope: configuration,
      signer: accessSigner,
    }));
  },
  'POST /nonce': (_, response) => {
    const nonce = randomBytes(32).toString('base64url');
    nonces.set(nonce, Date.now() + LIVES_MS);
    answer(response, 200, issuer.createNonceResponse({ cNonce: nonce, cNonceExpiresIn: LIVES_MS / 1000 }));
  },
  'POST /credential': credential,
};

createServer(async (request, response) => {
  const route = routes[`${request.method} ${request.url}`];
  if (!route) return answer(response, 404, { error: 'not_found' });
  try {
    await route(request, response);
  } catch (error) {
    answer(response, 400, error.errorResponse ?? { error: 'invalid_request' });
  }
}).listen(port, '127.0.0.1');
