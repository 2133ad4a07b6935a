/* From an answer of the issuer to a card that is kept, and what is still awaited. */
(function (W) {
  'use strict';
  const technical = ['iss', 'iat', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'status', '_sd_alg', 'aka_vcts'];

  /** Where the type's own file cannot be had just now, the issuer's metadata says nearly as much. */
  const typeFromMetadata = (configuration) => {
    const said = configuration.credential_metadata || {};
    const first = (said.display || [])[0] || {};
    return {
      name: W.words(said.display), description: W.words(said.display, 'description'), svg: '',
      simple: { background_color: first.background_color, text_color: first.text_color },
      claims: (said.claims || []).map((one) => ({ path: one.path, label: W.words(one.display), always: false, svgId: '' })),
    };
  };

  const typeFor = async (claims, configuration) => {
    try {
      return await W.typeOf(claims.vct, claims['vct#integrity']);
    } catch (error) {
      if (error instanceof W.Trouble && (error.code === 'NO_CONNECTION' || error.code === 'SERVER_DOWN')) return typeFromMetadata(configuration);
      throw error;
    }
  };

  const makeCard = async (pending, answer) => {
    const copies = [];
    let first = null;
    const places = [];
    for (let i = 0; i < answer.credentials.length; i += 1) {
      const text = String(answer.credentials[i]);
      const bound = (await W.readSdJwt(text)).claims.cnf || {};
      const own = answer.keys.find((one) => bound.jwk && one.jwk.x === bound.jwk.x && one.jwk.y === bound.jwk.y);
      if (!own) throw new Error('cnf');
      const read = await W.checkCredential(text, pending.configuration.vct, own.jwk);
      first = first || read;
      copies.push({ text, key: own.key, used: 0 });
      const place = (read.claims.status || {}).status_list;
      if (place) places.push({ uri: place.uri, idx: place.idx });
    }
    if (!first) throw new Error('empty');
    const claims = {};
    Object.keys(first.claims).forEach((name) => { if (technical.indexOf(name) < 0) claims[name] = first.claims[name]; });
    const akis = (first.jws.header.x5c || []).map((one) => W.readCertificate(W.unb64(one)).aki).filter(Boolean);
    return {
      id: W.random(9), issuer: pending.issuer, department: pending.department, vct: first.claims.vct,
      type: await typeFor(first.claims, pending.configuration), claims, copies, places, akis,
      hidden: first.parts.filter((one) => one.path.length === 1).map((one) => one.path[0]),
      nbf: first.claims.nbf || 0, exp: first.claims.exp || 0, received: W.now(),
      status: { value: 'UNKNOWN', at: 0, iat: 0, failed: false },
      notify: { id: answer.notification, endpoint: pending.metadata.notification_endpoint, token: pending.token, told: false },
    };
  };

  const tell = async (card) => {
    if (card.notify.told || !(await W.notify(card.notify, 'credential_accepted'))) return;
    const kept = await W.get('cards', card.id);
    if (!kept) return;
    kept.notify.told = true;
    card.notify.told = true;
    await W.put('cards', kept);
  };
  W.tellAll = async () => {
    const cards = await W.all('cards');
    cards.forEach((card) => { tell(card).catch(() => {}); });
  };

  /** What the token of a link opened, kept before anything else: a page that is closed goes on where it was. */
  W.begin = async (offered, token) => {
    const made = offered.configurations.map((configuration) => ({
      id: W.random(9), issuer: offered.issuer, metadata: offered.metadata, configuration, department: offered.department,
      name: W.documentName(configuration), token, keys: null, transaction: '', interval: 5, since: W.now(),
    }));
    for (let i = 0; i < made.length; i += 1) await W.put('pending', made[i]);
    return made;
  };

  /** One step of receiving: the card, or null where the department has not answered yet. Raises Trouble. */
  W.fetchPending = async (pending) => {
    let answer;
    try {
      answer = pending.transaction ? await W.askAgain(pending) : await W.requestCredential(pending, pending.token, pending.configuration);
    } catch (error) {
      if (error instanceof W.Trouble && ['DENIED', 'TOKEN_GONE', 'REFUSED'].indexOf(error.code) >= 0) await W.remove('pending', pending.id);
      throw error;
    }
    if (answer.waiting) {
      Object.assign(pending, { keys: answer.keys, transaction: answer.waiting.transaction, interval: answer.waiting.interval });
      await W.put('pending', pending);
      return null;
    }
    const notify = { id: answer.notification, endpoint: pending.metadata.notification_endpoint, token: pending.token };
    let card;
    try {
      card = await makeCard(pending, answer);
    } catch (error) {
      W.notify(notify, 'credential_failure');
      await W.remove('pending', pending.id);
      if (error instanceof W.Trouble) throw error;
      throw new W.Trouble('CREDENTIAL_BAD', {}, error.message);
    }
    try {
      await W.put('cards', card);
    } catch (error) {
      W.notify(notify, 'credential_failure');
      throw error;
    }
    await W.remove('pending', pending.id);
    W.persist();
    tell(card).catch(() => {});
    return card;
  };

  W.removeCard = async (card) => {
    await W.remove('cards', card.id);
    W.notify(card.notify, 'credential_deleted');
  };

  /** How a card stands now, in one word: dates first, then what its issuer last said. */
  W.stateOf = (card) => {
    if (card.exp && card.exp <= W.now()) return 'EXPIRED';
    if (card.status.value === 'REVOKED' || card.status.value === 'SUSPENDED') return card.status.value;
    if (card.nbf > W.now() + 60) return 'EARLY';
    return card.status.value;
  };
  W.usable = (card) => ['VALID', 'UNKNOWN'].indexOf(W.stateOf(card)) >= 0;

  W.note = (outcome, asker, purpose, shown) => W.put('shown', { id: W.now() + '-' + W.random(6), at: W.now(), outcome, asker, purpose, shown });
}(window.W));
