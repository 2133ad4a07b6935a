// A third-party client: npm openid-client, as its own documentation uses it. One line of JSON out per step; the one line
// in is the URL the browser was sent back to. Usage: node openid_client.mjs FOLDER, settings as JSON on stdin.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.argv[2] + '/')
const client = await import(pathToFileURL(require.resolve('openid-client')))
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => (await lines.next()).value
const say = (step, value) => process.stdout.write(JSON.stringify({ step, ...value }) + '\n')

const given = JSON.parse(await read())
const keyOf = (jwk) =>
  crypto.subtle.importKey('jwk', { ...jwk, key_ops: ['sign'] }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const configure = async ({ client_id, jwk }) => {
  const authentication = client.PrivateKeyJwt({ key: await keyOf(jwk), kid: jwk.kid })
  const execute = [client.allowInsecureRequests] // http on this machine
  return client.discovery(new URL(given.issuer), client_id, { use_mtls_endpoint_aliases: false }, authentication, {
    algorithm: 'oauth2',
    execute,
  })
}

const desk = await configure(given.desk)
const server = desk.serverMetadata()
say('discovery', { issuer: server.issuer, par: server.pushed_authorization_request_endpoint })

const DPoP = client.getDPoPHandle(desk, await client.randomDPoPKeyPair('ES256'))
const pkceCodeVerifier = client.randomPKCECodeVerifier()
const expectedState = client.randomState()
const url = await client.buildAuthorizationUrlWithPAR(
  desk,
  {
    redirect_uri: given.redirect_uri,
    scope: 'graphql',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    authorization_details: JSON.stringify(given.details),
  },
  { DPoP },
)
say('par', { url: url.href })

const back = new URL(await read())
let tokens = await client.authorizationCodeGrant(desk, back, { pkceCodeVerifier, expectedState }, undefined, { DPoP })
say('code', {
  token_type: tokens.token_type,
  details: tokens.authorization_details,
  refresh: typeof tokens.refresh_token,
})

const ask = async () => {
  const headers = new Headers({ 'content-type': 'application/json' })
  const body = JSON.stringify(given.question)
  const target = new URL(given.issuer + '/graphql')
  try {
    const answer = await client.fetchProtectedResource(desk, tokens.access_token, target, 'POST', body, headers, { DPoP })
    return { status: answer.status, answer: await answer.json() }
  } catch (error) {
    return { status: error.status ?? error.response?.status ?? 0, challenge: JSON.stringify(error.cause ?? String(error)) }
  }
}
say('graphql', await ask())

const refresh_token = tokens.refresh_token
tokens = await client.refreshTokenGrant(desk, refresh_token, {}, { DPoP })
say('refresh', { token_type: tokens.token_type })
say('graphql again', await ask())

const rs = await configure(given.resource_server)
const seen = await client.tokenIntrospection(rs, tokens.access_token)
say('introspection', { active: seen.active, sub: seen.sub, token_type: seen.token_type, jkt: typeof seen.cnf?.jkt })
say('own refresh token', { active: (await client.tokenIntrospection(desk, refresh_token)).active })
say('a foreign refresh token', await client.tokenIntrospection(rs, refresh_token))

await client.tokenRevocation(desk, refresh_token, { token_type_hint: 'refresh_token' })
say('revocation', await client.tokenIntrospection(rs, tokens.access_token))
say('graphql after revocation', await ask())
try {
  await client.refreshTokenGrant(desk, refresh_token, {}, { DPoP })
  say('refresh after revocation', { error: '' })
} catch (error) {
  say('refresh after revocation', { error: error.error })
}

const system = await configure(given.system)
const own = client.getDPoPHandle(system, await client.randomDPoPKeyPair('ES256'))
const granted = await client.clientCredentialsGrant(system, { scope: 'graphql' }, { DPoP: own })
say('client credentials', { token_type: granted.token_type, expires_in: granted.expires_in })
process.exit(0)
