/* OpenID4VCI 1.0 as a wallet: offer, metadata, token with DPoP, nonce, proofs, credential, deferred, notification. */
(function (W) {
  'use strict';
  const PRE = 'urn:ietf:params:oauth:grant-type:pre-authorized_code';
  const COPIES = 4; // keys a card has, where the issuer gives several at once

  const asOffer = async (query) => {
    const uri = query.get('credential_offer_uri');
    const inline = query.get('credential_offer');
    if (Boolean(uri) === Boolean(inline)) W.fail('LINK_BROKEN');
    if (uri && !W.ours(uri)) W.fail('OTHER_ISSUER');
    try {
      return inline ? JSON.parse(inline) : await W.getJson(uri, 'OFFER_GONE');
    } catch (error) {
      if (error instanceof W.Trouble) throw error;
      throw new W.Trouble('LINK_BROKEN');
    }
  };

  /** Everything the page shows of a link, and what receiving needs. Nothing is spent by looking. */
  W.readOffer = async (query) => {
    const offer = await asOffer(query);
    const uri = query.get('credential_offer_uri');
    const ids = offer.credential_configuration_ids;
    if (typeof offer.credential_issuer !== 'string' || !Array.isArray(ids) || !ids.length) W.fail('LINK_BROKEN');
    if (!W.ours(offer.credential_issuer)) W.fail('OTHER_ISSUER');
    const metadata = await W.getJson(W.wellKnown(offer.credential_issuer, 'openid-credential-issuer'));
    if (metadata.credential_issuer !== offer.credential_issuer) W.fail('SERVER_ANSWER', {}, 'credential_issuer');
    const server = (metadata.authorization_servers || [offer.credential_issuer])[0];
    const authorization = await W.getJson(W.wellKnown(server, 'oauth-authorization-server'));
    const configurations = ids.map((id) => {
      const found = (metadata.credential_configurations_supported || {})[id];
      return found && found.format === 'dc+sd-jwt' ? Object.assign({ id }, found) : null;
    }).filter(Boolean);
    if (!configurations.length) W.fail('FORMAT_UNKNOWN');
    const grant = (offer.grants || {})[PRE];
    if (!grant || !grant['pre-authorized_code']) W.fail('GRANT_UNKNOWN');
    return {
      issuer: offer.credential_issuer, metadata, authorization, configurations, grant,
      department: W.words(metadata.display), names: configurations.map((one) => W.documentName(one)),
      holder: uri && typeof offer.masked_name === 'string' ? offer.masked_name : '', // whoever writes a link writes any name in it
    };
  };
  W.documentName = (configuration) => W.words((configuration.credential_metadata || {}).display || [{ name: configuration.id }]);

  const nonces = {}; // origin of a server -> the DPoP nonce it last gave

  /** A request with proof of possession; the server may ask for a nonce of its own, once. */
  const withProof = async (holder, url, asked, token) => {
    const kind = new URL(url).pathname;
    for (let tried = 0; ; tried += 1) {
      const headers = { dpop: await W.dpop(holder, 'POST', url, nonces[kind], token && token.value) };
      if (token) headers.authorization = token.type + ' ' + token.value;
      if (token && token.type === 'Bearer') delete headers.dpop;
      const answer = await W.http(url, Object.assign({}, asked, { headers }));
      const given = answer.headers.get('dpop-nonce');
      if (given) nonces[kind] = given;
      const wants = answer.json().error === 'use_dpop_nonce' || /use_dpop_nonce/.test(answer.headers.get('www-authenticate') || '');
      if (!wants || !given || tried) return answer;
    }
  };

  const tokenTrouble = (answer, asksCode) => {
    const error = answer.json().error;
    if (answer.status === 429 || error === 'slow_down') W.fail('TOO_MANY');
    if (answer.status >= 500) W.fail('SERVER_DOWN');
    if (error === 'invalid_grant') W.fail(asksCode ? 'CODE_WRONG' : 'OFFER_GONE', {}, error);
    if (error === 'invalid_request' && asksCode) W.fail('CODE_WRONG', {}, error);
    W.fail('REFUSED', {}, error || String(answer.status));
  };

  /** The code for a token: this is what spends the link. */
  W.redeem = async (offered, code) => {
    const holder = await W.newKey();
    const form = { grant_type: PRE, 'pre-authorized_code': offered.grant['pre-authorized_code'] };
    if (offered.grant.tx_code) form.tx_code = code;
    const answer = await withProof(holder, offered.authorization.token_endpoint, { form });
    const token = answer.json();
    if (!answer.ok || !token.access_token) tokenTrouble(answer, Boolean(offered.grant.tx_code));
    const identifiers = {};
    (token.authorization_details || []).forEach((one) => { identifiers[one.credential_configuration_id] = (one.credential_identifiers || [])[0]; });
    return { value: token.access_token, type: token.token_type === 'DPoP' ? 'DPoP' : 'Bearer', holder, identifiers };
  };

  const freshNonce = async (metadata) => {
    const answer = await W.http(metadata.nonce_endpoint, { method: 'POST' });
    const nonce = answer.json().c_nonce;
    if (!answer.ok || !nonce) W.fail(answer.status >= 500 ? 'SERVER_DOWN' : 'SERVER_ANSWER', {}, 'c_nonce');
    return nonce;
  };

  const credentialTrouble = (answer) => {
    const error = answer.json().error;
    if (answer.status === 429) W.fail('TOO_MANY');
    if (answer.status >= 500) W.fail('SERVER_DOWN');
    if (error === 'credential_request_denied') W.fail('DENIED', {}, error);
    if (answer.status === 401 || answer.status === 403) W.fail('TOKEN_GONE', {}, error);
    W.fail('REFUSED', {}, error || String(answer.status));
  };

  /** One configuration's credentials, with their keys: {copies} or {waiting: {transaction, interval}}. */
  W.requestCredential = async (offered, token, configuration) => {
    const batch = (offered.metadata.batch_credential_issuance || {}).batch_size || 1;
    const keys = [];
    for (let i = 0; i < Math.min(batch, COPIES); i += 1) keys.push(await W.newKey());
    for (let tried = 0; ; tried += 1) {
      const nonce = offered.metadata.nonce_endpoint ? await freshNonce(offered.metadata) : undefined;
      const proofs = await Promise.all(keys.map((one) => W.sign(one.key, { typ: 'openid4vci-proof+jwt', jwk: one.jwk },
        Object.assign({ aud: offered.issuer, iat: W.now() }, nonce ? { nonce } : {}))));
      const identifier = token.identifiers[configuration.id];
      const named = identifier ? { credential_identifier: identifier } : { credential_configuration_id: configuration.id };
      const answer = await withProof(token.holder, offered.metadata.credential_endpoint, { json: Object.assign(named, { proofs: { jwt: proofs } }) }, token);
      if (answer.json().error === 'invalid_nonce' && !tried) continue;
      return W.readCredentials(answer, keys);
    }
  };

  W.readCredentials = (answer, keys) => {
    const said = answer.json();
    if (answer.status === 202 && said.transaction_id) return { waiting: { transaction: said.transaction_id, interval: said.interval || 5 }, keys };
    if (!answer.ok || !Array.isArray(said.credentials)) credentialTrouble(answer);
    return { credentials: said.credentials.map((one) => one.credential), notification: said.notification_id, keys };
  };

  /** Asks again for what a department had not answered. */
  W.askAgain = async (pending) => {
    const answer = await withProof(pending.token.holder, pending.metadata.deferred_credential_endpoint, { json: { transaction_id: pending.transaction } }, pending.token);
    if (answer.json().error === 'invalid_transaction_id') W.fail('DENIED', {}, 'invalid_transaction_id');
    return W.readCredentials(answer, pending.keys);
  };

  /** Tells the issuer what became of it; never in anybody's way. True where it was heard. */
  W.notify = async (notify, event) => {
    if (!notify || !notify.id || !notify.endpoint) return true;
    try {
      const answer = await withProof(notify.token.holder, notify.endpoint, { json: { notification_id: notify.id, event } }, notify.token);
      return answer.ok || answer.status === 400 || answer.status === 401;
    } catch (error) {
      return false;
    }
  };
}(window.W));
