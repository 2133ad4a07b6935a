// A wallet nobody here wrote: npm @openid4vc/openid4vci from an offer to credentials and the notification. With an
// attestation in the settings it authenticates by it and takes the code flow; else it is anonymous. One line of JSON out per
// step; the one line in after the settings, in the code flow, is the URL the browser was sent back to.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.argv[2] + '/')
const load = async (name) => import(pathToFileURL(process.argv[2] + `/node_modules/${name}`))
const vci = await load('@openid4vc/openid4vci/dist/index.mjs')
const oauth2 = await load('@openid4vc/oauth2/dist/index.mjs')
const jose = await import(pathToFileURL(require.resolve('jose')))
vci.setGlobalConfig({ allowInsecureUrls: true }) // http on this machine
oauth2.setGlobalConfig({ allowInsecureUrls: true })

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => (await lines.next()).value
const say = (step, value) => process.stdout.write(JSON.stringify({ step, ...value }) + '\n')
const given = JSON.parse(await read())

const keys = new Map()
const key = async (jwk) => {
  const made = jwk ? { privateKey: await jose.importJWK(jwk, 'ES256') } : await jose.generateKeyPair('ES256', { extractable: true })
  const publicJwk = jwk
    ? { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }
    : await jose.exportJWK(made.publicKey)
  keys.set(publicJwk.x, made.privateKey)
  return { method: 'jwk', alg: 'ES256', publicJwk }
}
const none = () => { throw new Error('not of this story') }
const callbacks = {
  hash: async (data, alg) => new Uint8Array(await crypto.subtle.digest(alg.toUpperCase(), data)),
  generateRandom: (n) => crypto.getRandomValues(new Uint8Array(n)),
  signJwt: async (signer, { header, payload }) => ({
    jwt: await new jose.SignJWT(payload).setProtectedHeader(header).sign(keys.get(signer.publicJwk.x)),
    signerJwk: signer.publicJwk,
  }),
  verifyJwt: none, encryptJwe: none, decryptJwe: none,
}
if (given.instance) await key(given.instance)
callbacks.clientAuthentication = given.attestation
  ? oauth2.clientAuthenticationClientAttestationJwt({ clientAttestationJwt: given.attestation, callbacks })
  : oauth2.clientAuthenticationAnonymous()

const client = new vci.Openid4vciClient({ callbacks })
const credentialOffer = await client.resolveCredentialOffer(given.link)
const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
const [credentialConfigurationId] = credentialOffer.credential_configuration_ids
say('offer', {
  issuer: issuerMetadata.credentialIssuer.credential_issuer,
  known: Object.keys(issuerMetadata.credentialIssuer.credential_configurations_supported),
})

const dpop = { signer: await key() }
let token
if (given.attestation) {
  const asked = await client.createAuthorizationRequestUrlFromOffer({
    credentialOffer, issuerMetadata, clientId: given.client_id, redirectUri: given.redirect_uri,
    scope: issuerMetadata.credentialIssuer.credential_configurations_supported[credentialConfigurationId].scope, dpop,
  })
  say('par', { url: asked.authorizationRequestUrl })
  const answer = client.parseAndVerifyAuthorizationResponseRedirectUrl({
    url: await read(), authorizationServerMetadata: issuerMetadata.authorizationServers[0],
  })
  token = await client.retrieveAuthorizationCodeAccessTokenFromOffer({
    credentialOffer, issuerMetadata, authorizationCode: answer.code, pkceCodeVerifier: asked.pkce.codeVerifier,
    redirectUri: given.redirect_uri, dpop: asked.dpop ?? dpop,
  })
} else {
  token = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer, issuerMetadata, txCode: given.tx_code, ...(given.dpop ? { dpop } : {}),
  })
}
say('token', { token_type: token.accessTokenResponse.token_type })

const { c_nonce } = await client.requestNonce({ issuerMetadata })
const jwts = []
for (let n = 0; n < given.copies; n++) {
  const { jwt } = await client.createCredentialRequestJwtProof({
    issuerMetadata, signer: await key(), nonce: c_nonce, issuedAt: new Date(), credentialConfigurationId,
    ...(given.client_id ? { clientId: given.client_id } : {}),
  })
  jwts.push(jwt)
}
const shared = {
  issuerMetadata, accessToken: token.accessTokenResponse.access_token,
  ...(token.dpop ? { dpop: token.dpop } : {}),
}
const answer = await client.retrieveCredentials({ ...shared, credentialConfigurationId, proofs: { jwt: jwts } })
const { credentials, notification_id: notificationId } = answer.credentialResponse
say('credentials', { credentials: credentials.map((one) => one.credential ?? one), notification: typeof notificationId })
await client.sendNotification({ ...shared, notification: { notificationId, event: 'credential_accepted' } })
say('done', {})
process.exit(0)
