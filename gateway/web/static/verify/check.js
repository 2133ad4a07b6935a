/* Whether a credential may be believed, by a kit alone: the checks, codes and order of `credentials.verifying`. */
(function (W) {
  'use strict';
  const NEVER = ['iss', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'aka_vcts', 'status'];
  const OWN = ['_sd', '...', '_sd_alg'];
  const LONGEST = 65536;
  const LEEWAY = 60;
  const FRESH = 300;
  const LARGEST = 4 * 1024 * 1024;

  /** A kit (compact JWS) as {issuer, madeAt, anchors, issuers, types, lists, cutOffs}; believed for whence it came. Throws. */
  W.readKit = async (text) => {
    const jws = W.strictJws(text.trim(), 'yimen-kit+jwt', 64 * 1024 * 1024);
    const said = W.strictObject(jws.payload);
    const kit = { issuer: said.iss, madeAt: said.iat, anchors: said.anchors.map(W.unb64), issuers: {}, types: {}, lists: said.status_lists, cutOffs: said.cut_offs };
    const issuers = Object.keys(said.issuers);
    for (let i = 0; i < issuers.length; i += 1) {
      const keys = {};
      for (let k = 0; k < said.issuers[issuers[i]].length; k += 1) keys[said.issuers[issuers[i]][k].kid] = await W.strictKey(said.issuers[issuers[i]][k]);
      kit.issuers[issuers[i]] = keys;
    }
    for (let i = 0; i < said.types.length; i += 1) {
      const bytes = W.bytes(said.types[i].metadata);
      const metadata = W.strictObject(bytes);
      kit.types[metadata.vct] = { metadata, card: said.types[i].card, integrity: 'sha256-' + W.b64(await W.sha256(bytes)) };
    }
    const signer = await issuerKey(jws.header, kit.issuer, kit, kit.madeAt);
    await W.strictVerify(jws, signer.key);
    cutOff(signer, kit.madeAt, kit);
    return kit;
  };

  const issuerKey = async (header, iss, kit, now) => {
    if (W.has(header, 'x5c') && kit.anchors.length) {
      const leaf = await W.issuerChain(header.x5c, kit.anchors, now * 1000);
      if (iss !== null && !leaf.speaksFor(iss)) W.why('issuer_name');
      return Object.assign(leaf, { identifier: iss, road: 'x5c' });
    }
    if (iss === null || typeof header.kid !== 'string') W.why('no_key');
    if (!W.has(kit.issuers, iss)) W.why('issuer_unknown');
    if (!W.has(kit.issuers[iss], header.kid)) W.why('kid_unknown');
    return Object.assign({ identifier: iss, organisation: '', road: 'metadata' }, kit.issuers[iss][header.kid]);
  };

  const cutOff = (signer, issuedAt, kit) => {
    if (W.has(kit.cutOffs, signer.thumbprint) && (issuedAt === null || issuedAt >= kit.cutOffs[signer.thumbprint])) W.why('compromised');
  };

  /* ---- RFC 9901, section 7.1 ---- */
  const readSdJwt = async (text) => {
    const pieces = text.split('~');
    if (pieces.length < 2) W.why('form');
    const last = pieces.pop();
    const jws = W.strictJws(pieces[0], 'dc+sd-jwt', LONGEST);
    if (pieces.length > 201) W.why('many');
    const held = [];
    for (let i = 1; i < pieces.length; i += 1) {
      let array;
      try {
        array = W.strictJson(W.canonical(pieces[i]));
      } catch (error) {
        W.why('disclosure');
      }
      const fits = Array.isArray(array) && typeof array[0] === 'string' && (array.length === 2 || (array.length === 3 && typeof array[1] === 'string'));
      if (!fits) W.why('disclosure');
      held.push({ digest: W.b64u(await W.sha256(pieces[i])), name: array.length === 3 ? array[1] : null, value: array[array.length - 1] });
    }
    return { jws, held, presented: text.slice(0, text.length - last.length), binding: last };
  };

  const putTogether = (payload, disclosures) => {
    if (W.has(payload, '_sd_alg') && payload._sd_alg !== 'sha-256') W.why('sd_alg');
    delete payload._sd_alg;
    const held = new Map();
    disclosures.forEach((one) => { if (held.has(one.digest)) W.why('doubled'); held.set(one.digest, one); });
    const seen = new Set();
    const disclosed = [];
    const take = (digest) => {
      if (typeof digest !== 'string' || seen.has(digest)) W.why('digest');
      seen.add(digest);
      const one = held.get(digest);
      held.delete(digest);
      return one;
    };
    const unpack = (value, path) => {
      if (value === null || typeof value !== 'object') return value;
      if (path.length > 16) W.why('deep');
      if (Array.isArray(value)) {
        const found = [];
        value.forEach((one) => {
          const own = path.concat(found.length);
          if (!W.isObject(one) || !W.has(one, '...')) {
            found.push(unpack(one, own));
            return;
          }
          if (Object.keys(one).length !== 1) W.why('form');
          if (NEVER.indexOf(path[0]) >= 0) W.why('claim');
          const part = take(one['...']);
          if (!part) return;
          if (part.name !== null) W.why('claim');
          disclosed.push(own);
          found.push(unpack(part.value, own));
        });
        return found;
      }
      if (W.has(value, '...') || (W.has(value, '_sd_alg') && path.length)) W.why('form');
      const found = {};
      Object.keys(value).forEach((name) => { if (name !== '_sd') W.member(found, name, unpack(value[name], path.concat(name))); });
      if (!W.has(value, '_sd')) return found;
      if (!Array.isArray(value._sd)) W.why('form');
      if (path.length && NEVER.indexOf(path[0]) >= 0) W.why('claim');
      if (value._sd.some((one) => typeof one !== 'string') || new Set(value._sd).size !== value._sd.length || value._sd.some((one) => seen.has(one))) W.why('digest');
      value._sd.forEach((one) => seen.add(one));
      value._sd.forEach((one) => {
        const part = held.get(one);
        if (!part) return;
        held.delete(one);
        const name = part.name;
        if (name === null || W.has(found, name) || OWN.indexOf(name) >= 0 || (!path.length && NEVER.indexOf(name) >= 0)) W.why('claim');
        disclosed.push(path.concat(name));
        W.member(found, name, unpack(part.value, path.concat(name)));
      });
      return found;
    };
    const claims = unpack(payload, []);
    if (held.size) W.why('orphan');
    return { claims, disclosed };
  };

  /* ---- dates ---- */
  const number = (value) => {
    if (value === undefined || value === null) return null;
    if (typeof value !== 'number' || !isFinite(value) || value < -62135596800 || value > 253402300799) W.why('form');
    return value;
  };
  const written = (value) => {
    if (value === undefined || value === null) return null;
    if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/.test(value) || isNaN(Date.parse(value))) W.why('form');
    return Date.parse(value) / 1000;
  };
  const validity = (claims) => {
    try {
      const some = (list) => list.filter((one) => one !== null);
      const starts = some([number(claims.nbf), written(claims.validFrom)]);
      const ends = some([number(claims.exp), written(claims.validUntil)]);
      return { issued: number(claims.iat), starts: starts.length ? Math.max.apply(null, starts) : null, ends: ends.length ? Math.min.apply(null, ends) : null };
    } catch (error) {
      return { issued: null, starts: null, ends: null, broken: true };
    }
  };
  const dateFault = (dates, now) => {
    if (dates.broken) return 'form';
    if (dates.ends !== null && dates.ends <= now) return 'expired';
    if (dates.starts !== null && dates.starts > now + LEEWAY) return 'not_yet';
    return dates.issued !== null && dates.issued > now + LEEWAY ? 'issued_later' : '';
  };

  /* ---- status ---- */
  const lookUp = async (found, kit, now) => {
    const { claims } = found;
    if (!W.has(claims, 'status') && !W.has(claims, 'credentialStatus')) return ['SKIPPED', 'none'];
    const listed = W.isObject(claims.status) && claims.status.status_list;
    if (!W.isObject(listed) || typeof listed.uri !== 'string' || !Number.isInteger(listed.idx) || listed.idx < 0) return ['UNKNOWN', 'mechanism'];
    if (!W.has(kit.lists, listed.uri)) return ['UNKNOWN', 'no_list'];
    try {
      const token = W.strictJws(kit.lists[listed.uri], 'statuslist+jwt', 8 * 1024 * 1024);
      const chained = W.has(token.header, 'x5c');
      const signer = await issuerKey(token.header, chained ? null : found.issuer.identifier, kit, now);
      if (signer.road === 'x5c' && signer.thumbprint !== found.issuer.thumbprint && !signer.speaksFor(listed.uri)) W.why('issuer_name');
      try {
        await W.strictVerify(token, signer.key);
      } catch (error) {
        W.why('token');
      }
      const said = W.strictObject(token.payload);
      if (said.sub !== listed.uri) W.why('sub');
      const whole = (value) => Number.isInteger(value) && value >= 0;
      if (!whole(said.iat) || ['exp', 'ttl'].some((name) => said[name] !== undefined && said[name] !== null && !whole(said[name]))) W.why('form');
      if (said.iat > now + LEEWAY) W.why('exp');
      const list = said.status_list;
      if (!W.isObject(list) || [1, 2, 4, 8].indexOf(list.bits) < 0 || typeof list.lst !== 'string') W.why('form');
      cutOff(signer, said.iat, kit);
      let packed;
      try {
        packed = W.inflate(W.canonical(list.lst), LARGEST);
      } catch (error) {
        W.why('zlib');
      }
      const place = Math.floor(listed.idx * list.bits / 8);
      if (place >= packed.length) return ['FAILED', 'index'];
      const value = (packed[place] >> (listed.idx * list.bits % 8)) & ((1 << list.bits) - 1);
      found.status = { value, asOf: said.iat, ends: said.exp === undefined ? null : said.exp };
      if (value === 1) return ['FAILED', 'revoked'];
      if (found.status.ends !== null && found.status.ends <= now) return ['UNKNOWN', 'stale'];
      return value === 0 ? ['PASSED', ''] : ['FAILED', value === 2 ? 'suspended' : 'other'];
    } catch (error) {
      return ['UNKNOWN', error.why || 'token'];
    }
  };

  /* ---- key binding ---- */
  const bind = async (taken, claims, binding, now) => {
    if (taken.binding === '') W.why('missing');
    const cnf = claims.cnf;
    if (!W.isObject(cnf) || Object.keys(cnf).join() !== 'jwk') W.why('cnf');
    const jws = W.strictJws(taken.binding, 'kb+jwt', LONGEST);
    await W.strictVerify(jws, (await W.strictKey(cnf.jwk)).key);
    const said = W.strictObject(jws.payload);
    if (said.sd_hash !== W.b64u(await W.sha256(taken.presented))) W.why('sd_hash');
    if (typeof said.iat !== 'number') W.why('iat');
    if (!binding) return said;
    if (said.aud !== binding.aud) W.why('aud');
    if (typeof said.nonce !== 'string' || (binding.nonce && said.nonce !== binding.nonce)) W.why('nonce');
    if (!(now - said.iat >= -LEEWAY && now - said.iat <= FRESH)) W.why('iat');
    return said;
  };

  const typed = (claims, kit) => {
    if (typeof claims.vct !== 'string' || !claims.vct) return ['FAILED', 'vct'];
    if (!W.has(kit.types, claims.vct)) return ['UNKNOWN', 'vct_unknown'];
    return W.has(claims, 'vct#integrity') && claims['vct#integrity'] !== kit.types[claims.vct].integrity ? ['FAILED', 'integrity'] : ['PASSED', ''];
  };

  const formatOf = (text) => {
    if (text.length > LONGEST) return '';
    try {
      const typ = W.strictObject(W.canonical(text.split('.')[0])).typ;
      return typ === 'dc+sd-jwt' || typ === 'vc+jwt' ? typ : '';
    } catch (error) {
      return '';
    }
  };

  /** {verdict, checks: [{name, outcome, why}], claims, disclosed, issuer, dates, status, said, type}. `binding`: {aud, nonce} or null. */
  W.verify = async (text, kit, now, binding) => {
    const found = { checks: [], claims: {}, disclosed: [], issuer: null, dates: null, status: null, said: null };
    const note = (name, outcome, why) => found.checks.push({ name, outcome, why: why || '' });
    const step = async (name, work) => {
      try {
        const value = await work();
        note(name, 'PASSED');
        return value;
      } catch (error) {
        note(name, 'FAILED', error.why || 'form');
        throw Object.assign(new Error('stop'), { stop: true });
      }
    };
    try {
      const format = formatOf(text);
      if (!format) {
        note('form', 'FAILED', 'format');
        throw Object.assign(new Error('stop'), { stop: true });
      }
      const plain = format === 'vc+jwt';
      let payload;
      const taken = await step('form', async () => {
        const read = plain ? { jws: W.strictJws(text, format, LONGEST), held: [], binding: '' } : await readSdJwt(text);
        payload = W.strictObject(read.jws.payload);
        return read;
      });
      const issuer = await step('issuer_key', async () => {
        const named = plain ? (W.isObject(payload.issuer) ? payload.issuer.id : payload.issuer) : payload.iss;
        if (named !== undefined && named !== null && typeof named !== 'string') W.why('iss');
        const signer = await issuerKey(taken.jws.header, typeof named === 'string' ? named : null, kit, now);
        cutOff(signer, validity(payload).issued, kit);
        return signer;
      });
      await step('signature', () => W.strictVerify(taken.jws, issuer.key));
      found.claims = payload;
      if (plain) note('disclosures', 'SKIPPED', 'none');
      else {
        found.claims = {};
        const whole = await step('disclosures', async () => putTogether(payload, taken.held));
        found.claims = whole.claims;
        found.disclosed = whole.disclosed;
      }
      const claims = found.claims;
      if (plain && !(Array.isArray(claims.type) && claims.type.indexOf('VerifiableCredential') >= 0)) {
        note('type', 'FAILED', 'form');
        found.claims = {};
        throw Object.assign(new Error('stop'), { stop: true });
      }
      found.issuer = issuer;
      found.dates = validity(claims);
      const fault = dateFault(found.dates, now);
      note('dates', fault ? 'FAILED' : 'PASSED', fault);
      if (plain && !W.has(claims, 'vct')) note('type', 'SKIPPED', 'none');
      else note('type', ...typed(claims, kit));
      found.type = W.has(kit.types, claims.vct) ? kit.types[claims.vct] : null;
      if (!W.has(claims, 'cnf')) note('holder', 'SKIPPED', 'bearer');
      else {
        try {
          if (!W.isObject(claims.cnf) || Object.keys(claims.cnf).join() !== 'jwk') W.why('cnf');
          await W.strictKey(claims.cnf.jwk);
          note('holder', 'PASSED');
        } catch (error) {
          note('holder', 'FAILED', 'cnf');
        }
      }
      if (!binding && taken.binding === '') note('key_binding', 'SKIPPED', 'none');
      else {
        try {
          found.said = await bind(taken, claims, binding, now);
          note('key_binding', binding ? 'PASSED' : 'SKIPPED', binding ? '' : 'not_asked');
        } catch (error) {
          note('key_binding', 'FAILED', error.why || 'form');
        }
      }
      if (found.checks.every((one) => one.outcome !== 'FAILED')) note('status', ...await lookUp(found, kit, now));
    } catch (error) {
      if (!error.stop) note('form', 'FAILED', 'form');
    }
    const outcomes = found.checks.map((one) => one.outcome);
    found.verdict = outcomes.indexOf('FAILED') >= 0 ? 'BAD' : outcomes.indexOf('UNKNOWN') >= 0 ? 'UNKNOWN' : 'GOOD';
    found.reasons = found.checks.filter((one) => one.outcome === 'FAILED' || one.outcome === 'UNKNOWN').map((one) => one.name + ':' + one.why);
    return found;
  };
}(window.W));
