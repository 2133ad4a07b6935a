/* OpenID4VP 1.0 as a wallet: the signed request is fetched and checked, answered or refused. Whoever is not who the
   signature says is not shown anything, and is not answered either. */
(function (W) {
  'use strict';
  const CONSENT = 'urn:yimen:consent:v1';
  const PURPOSE = 'urn:yimen:purpose:v1';

  const fetched = async (query) => {
    const uri = query.get('request_uri');
    const nonce = W.random(16);
    if (!uri || !query.get('client_id')) W.fail('LINK_BROKEN');
    if (!W.ours(uri)) W.fail('OTHER_VERIFIER');
    const post = query.get('request_uri_method') === 'post';
    const headers = { accept: 'application/oauth-authz-req+jwt' };
    const answer = await W.http(uri, post ? { form: { wallet_nonce: nonce }, headers } : { headers });
    if (answer.status >= 500) W.fail('SERVER_DOWN');
    if (!answer.ok) W.fail('REQUEST_GONE', {}, String(answer.status));
    return { text: answer.body.trim(), nonce: post ? nonce : null };
  };

  const identified = async (id, leaf) => {
    const at = id.indexOf(':');
    const prefix = at < 0 ? '' : id.slice(0, at);
    const rest = id.slice(at + 1);
    if (prefix === 'x509_hash') return rest === W.b64u(await W.sha256(leaf.der));
    if (prefix === 'x509_san_dns') return leaf.dns.indexOf(rest.toLowerCase()) >= 0;
    return prefix === '' && leaf.dns.indexOf(id.toLowerCase()) >= 0; // registered with us: our own gateway by name
  };

  const transactions = (listed) => (listed || []).map((text) => {
    let read;
    try {
      read = JSON.parse(W.text(W.unb64u(text)));
    } catch (error) {
      W.fail('REQUEST_BROKEN', {}, 'invalid_transaction_data');
    }
    if (read.type !== CONSENT) W.fail('REQUEST_BROKEN', {}, 'invalid_transaction_data');
    return { text, read };
  });

  /** The request, believed: who asks, for what, and where the answer goes. Raises Trouble. */
  W.readRequest = async (query) => {
    const { text, nonce } = await fetched(query);
    let claims;
    let leaf;
    try {
      const jws = W.readJws(text, 'oauth-authz-req+jwt');
      leaf = await W.signerOf(jws, 'verifier');
      await W.checkJws(jws, leaf.key);
      claims = jws.claims;
    } catch (error) {
      if (error instanceof W.Trouble) throw error;
      throw new W.Trouble('ASKER_UNKNOWN', {}, error.message);
    }
    const wrong = (what) => W.fail('REQUEST_BROKEN', {}, what);
    if (claims.client_id !== query.get('client_id') || !(await identified(claims.client_id, leaf))) W.fail('ASKER_UNKNOWN', {}, 'client_id');
    if (claims.aud !== 'https://self-issued.me/v2') wrong('aud');
    if (nonce && claims.wallet_nonce !== nonce) wrong('wallet_nonce');
    if (claims.exp !== undefined && !(claims.exp > W.now())) W.fail('REQUEST_GONE', {}, 'exp');
    if (claims.iat !== undefined && claims.iat > W.now() + 300) wrong('iat');
    if (claims.response_type !== 'vp_token' || ['direct_post', 'direct_post.jwt'].indexOf(claims.response_mode) < 0) wrong('response_mode');
    if (typeof claims.nonce !== 'string' || !claims.nonce || claims.redirect_uri !== undefined) wrong('nonce');
    if (!W.ours(claims.response_uri)) W.fail('OTHER_VERIFIER', {}, 'response_uri');
    if (leaf.dns.length && leaf.dns.indexOf(new URL(claims.response_uri).hostname) < 0) W.fail('ASKER_UNKNOWN', {}, 'response_uri');
    const metadata = claims.client_metadata || {};
    const info = (claims.verifier_info || []).find((one) => one && one.format === PURPOSE);
    const data = (info && info.data) || {};
    const org = W.words(data.organisation);
    return {
      claims, metadata, transactions: transactions(claims.transaction_data),
      asker: org[0] ? org : [metadata.client_name || leaf.dns[0] || claims.client_id, ''],
      client: typeof metadata.client_name === 'string' && metadata.client_name !== org[0] ? metadata.client_name : '',
      purpose: W.words(data.purpose), title: W.words(data.title), reference: typeof data.reference === 'string' ? data.reference : '',
    };
  };

  const post = async (request, members) => {
    const all = Object.assign({}, members, request.claims.state ? { state: request.claims.state } : {});
    let form = {};
    if (request.claims.response_mode === 'direct_post.jwt') {
      const keys = ((request.metadata.jwks || {}).keys || []).filter((one) => one.kty === 'EC' && one.crv === 'P-256' && (!one.alg || one.alg === 'ECDH-ES') && one.use !== 'sig');
      const known = request.metadata.encrypted_response_enc_values_supported || ['A128GCM'];
      const enc = ['A256GCM', 'A128GCM'].find((one) => known.indexOf(one) >= 0);
      if (!keys.length || !enc) W.fail('REQUEST_BROKEN', {}, 'client_metadata');
      form.response = await W.encrypt(all, keys[0], enc);
    } else {
      form = all;
      if (form.vp_token) form.vp_token = JSON.stringify(form.vp_token);
    }
    const answer = await W.http(request.claims.response_uri, { form });
    if (answer.status >= 500) W.fail('SERVER_DOWN');
    if (!answer.ok) W.fail('REQUEST_GONE', {}, answer.json().error || String(answer.status));
    const onwards = answer.json().redirect_uri;
    return typeof onwards === 'string' && /^https?:\/\//.test(onwards) ? onwards : null;
  };

  /** `chosen`: [{id, card, paths}]. Gives where to go on, or null. The copies shown are counted before they leave. */
  W.answerRequest = async (request, chosen) => {
    const token = {};
    for (let i = 0; i < chosen.length; i += 1) {
      const { id, card, paths } = chosen[i];
      const copy = W.nextCopy(card);
      const more = {};
      const own = request.transactions.filter((one) => (one.read.credential_ids || []).indexOf(id) >= 0);
      if (own.length) {
        more.transaction_data_hashes = await Promise.all(own.map(async (one) => W.b64u(await W.sha256(one.text))));
        more.transaction_data_hashes_alg = 'sha-256';
      }
      token[id] = [await W.present(copy, paths, request.claims.client_id, request.claims.nonce, more)];
      await W.usedCopy(card, copy);
    }
    return post(request, { vp_token: token });
  };
  W.refuseRequest = (request, error) => post(request, { error: error || 'access_denied' });
}(window.W));
