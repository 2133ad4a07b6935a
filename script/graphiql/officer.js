// Who asks: the session of the login page, and a key of this tab that cannot be read out, for tokens bound to it (RFC 9449).
const TOKEN = '/graphiql/token';
const utf8 = (text) => new TextEncoder().encode(text);
const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const json = (value) => base64url(utf8(JSON.stringify(value)));
const quiet = { credentials: 'same-origin', cache: 'no-store', referrerPolicy: 'no-referrer' };

export async function session() {
  const response = await fetch('/graphiql/session', quiet);
  return response.ok ? response.json() : { loggedIn: false };
}

export async function logOut(csrf) {
  await fetch('/logout', { ...quiet, method: 'POST', body: new URLSearchParams({ csrf }), redirect: 'manual' });
}

export class LoggedOut extends Error {}

export class Officer {
  #csrf;
  #key; // never leaves the browser's own keeping, and ends with this tab
  #token = { text: '', until: 0 };
  #nonces = new Map(); // the token endpoint's and GraphQL's are not the same

  #origin; // ours as the gateway knows it, which is what proofs are compared with

  constructor({ csrf, origin }) {
    this.#csrf = csrf;
    this.#origin = origin;
    this.#key = crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  }

  // A request of GraphQL under a token; a nonce that is asked for is used at once, a token that ended is fetched anew.
  async send(path, init) {
    for (let tries = 0; ; tries += 1) {
      const token = await this.#fresh();
      const response = await this.#proven(path, init, token);
      if (response.status !== 401 || tries > 0) return response;
      this.#token = { text: '', until: 0 };
    }
  }

  async #fresh() {
    if (this.#token.until > Date.now()) return this.#token.text;
    const response = await this.#proven(TOKEN, { method: 'POST', headers: { 'x-csrf-token': this.#csrf } });
    if (!response.ok) throw new LoggedOut();
    const { access_token, expires_in } = await response.json();
    this.#token = { text: access_token, until: Date.now() + (expires_in - 15) * 1000 };
    return access_token;
  }

  async #proven(path, init, token) {
    for (let tries = 0; ; tries += 1) {
      const headers = { ...init.headers, dpop: await this.#proof(init.method, path, token) };
      if (token) headers.authorization = `DPoP ${token}`;
      const response = await fetch(path, { ...quiet, credentials: token ? 'omit' : 'same-origin', ...init, headers });
      const nonce = response.headers.get('dpop-nonce');
      if (nonce) this.#nonces.set(path, nonce);
      if (tries > 0 || response.ok || !nonce || !(await wantsNonce(response))) return response;
    }
  }

  async #proof(htm, path, token) {
    const { privateKey, publicKey } = await this.#key;
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
    const claims = { jti: crypto.randomUUID(), htm, htu: this.#origin + path, iat: Math.floor(Date.now() / 1000) };
    const nonce = this.#nonces.get(path);
    if (nonce) claims.nonce = nonce;
    if (token) claims.ath = base64url(await crypto.subtle.digest('SHA-256', utf8(token)));
    const signed = `${json({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${json(claims)}`;
    const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, utf8(signed));
    return `${signed}.${base64url(signature)}`;
  }
}

// A resource says it in a header (RFC 9449, 9), the token endpoint in its body (8).
async function wantsNonce(response) {
  if (/error="use_dpop_nonce"/.test(response.headers.get('www-authenticate') ?? '')) return true;
  if (response.status !== 400) return false;
  return (await response.clone().json().catch(() => ({}))).error === 'use_dpop_nonce';
}
