// A wallet made of npm openid-client and jose: an offer of the code flow, PAR, a person's yes, a DPoP token, a nonce, a
// credential. One line of JSON out per step; the one line in after the settings is the URL the browser was sent back to.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.argv[2] + '/')
const client = await import(pathToFileURL(require.resolve('openid-client')))
const jose = await import(pathToFileURL(require.resolve('jose')))
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => (await lines.next()).value
const say = (step, value) => process.stdout.write(JSON.stringify({ step, ...value }) + '\n')

const given = JSON.parse(await read())
const offer = await (await fetch(given.offer_uri)).json()
const issuer = await (await fetch(given.issuer + '/.well-known/openid-credential-issuer')).json()
say('offer', { offer, endpoint: issuer.credential_endpoint })

const key = await crypto.subtle.importKey(
  'jwk', { ...given.jwk, key_ops: ['sign'] }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const wallet = await client.discovery(
  new URL(given.issuer), given.client_id, {}, client.PrivateKeyJwt({ key, kid: given.jwk.kid }),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
const DPoP = client.getDPoPHandle(wallet, await client.randomDPoPKeyPair('ES256'))
const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const url = await client.buildAuthorizationUrlWithPAR(wallet, {
  redirect_uri: given.redirect_uri,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  ...given.asked,
  ...(offer.grants.authorization_code?.issuer_state ? { issuer_state: offer.grants.authorization_code.issuer_state } : {}),
}, { DPoP })
say('par', { url: url.href })

const back = new URL(await read())
const tokens = await client.authorizationCodeGrant(wallet, back, { pkceCodeVerifier, expectedState }, undefined, { DPoP })
say('token', { token_type: tokens.token_type, details: tokens.authorization_details ?? null, scope: tokens.scope ?? null })

const { c_nonce } = await (await fetch(issuer.nonce_endpoint, { method: 'POST' })).json()
const holder = await jose.generateKeyPair('ES256', { extractable: true })
const proof = await new jose.SignJWT({ nonce: c_nonce })
  .setProtectedHeader({ alg: 'ES256', typ: 'openid4vci-proof+jwt', jwk: await jose.exportJWK(holder.publicKey) })
  .setIssuer(given.client_id).setAudience(issuer.credential_issuer).setIssuedAt().sign(holder.privateKey)
const identifier = tokens.authorization_details?.[0]?.credential_identifiers?.[0]
const body = JSON.stringify({
  ...(identifier ? { credential_identifier: identifier } : { credential_configuration_id: offer.credential_configuration_ids[0] }),
  proofs: { jwt: [proof] },
})
const answer = await client.fetchProtectedResource(
  wallet, tokens.access_token, new URL(issuer.credential_endpoint), 'POST', body,
  new Headers({ 'content-type': 'application/json' }), { DPoP })
say('credential', { status: answer.status, answer: await answer.json() })
process.exit(0)
