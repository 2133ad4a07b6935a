/* DCQL (OpenID4VP 1.0, section 6): which cards answer a query, and what of them must be seen. */
(function (W) {
  'use strict';
  /** Every place a claims path points to: null is all elements of an array. */
  W.select = (claims, path) => {
    let found = [{ path: [], value: claims }];
    path.forEach((step) => {
      const next = [];
      found.forEach((one) => {
        if (step === null && Array.isArray(one.value)) one.value.forEach((value, i) => next.push({ path: one.path.concat(i), value }));
        else if (typeof step === 'number' && Array.isArray(one.value) && step in one.value) next.push({ path: one.path.concat(step), value: one.value[step] });
        else if (typeof step === 'string' && W.isObject(one.value) && Object.prototype.hasOwnProperty.call(one.value, step)) next.push({ path: one.path.concat(step), value: one.value[step] });
      });
      found = next;
    });
    return found;
  };

  const claimOf = (card, asked) => {
    if (!Array.isArray(asked.path) || !asked.path.length) W.fail('REQUEST_BROKEN', {}, 'path');
    let found = W.select(card.claims, asked.path);
    if (Array.isArray(asked.values)) found = found.filter((one) => asked.values.indexOf(one.value) >= 0);
    return found.length ? { path: asked.path, paths: found.map((one) => one.path), values: found.map((one) => one.value) } : null;
  };

  const key = (claim) => JSON.stringify(claim.path);

  /** {must, may}: the fewest claims that satisfy, and what the asker would like besides; null where the card cannot. */
  const claimsOf = (card, query) => {
    const asked = query.claims || [];
    if (!query.claim_sets) {
      const all = asked.map((one) => claimOf(card, one));
      return all.every(Boolean) ? { must: all, may: [] } : null;
    }
    const sets = query.claim_sets.map((ids) => ids.map((id) => {
      const one = asked.find((claim) => claim.id === id);
      return one ? claimOf(card, one) : null;
    })).filter((set) => set.every(Boolean));
    if (!sets.length) return null;
    const must = sets.reduce((least, set) => (set.length < least.length ? set : least));
    const inside = must.every((one) => sets[0].some((other) => key(other) === key(one)));
    return { must, may: inside ? sets[0].filter((one) => !must.some((other) => key(other) === key(one))) : [] };
  };

  const trusted = (card, authorities) => !Array.isArray(authorities) || !authorities.length
    || authorities.some((one) => one.type === 'aki' && (one.values || []).some((value) => card.akis.indexOf(value) >= 0));

  const candidates = (query, cards) => cards.filter((card) => query.format === 'dc+sd-jwt'
    && query.meta && Array.isArray(query.meta.vct_values) && query.meta.vct_values.indexOf(card.vct) >= 0
    && trusted(card, query.trusted_authorities)).map((card) => ({ card, claims: claimsOf(card, query) })).filter((one) => one.claims);

  /** What to show: [{id, required, fits: [{card, claims}]}], where a query can be met at all; else {missing: [id]}. */
  W.matching = (query, cards) => {
    const asked = query && query.credentials;
    if (!Array.isArray(asked) || !asked.length || asked.length > 8) W.fail('REQUEST_BROKEN', {}, 'dcql_query');
    const fits = {};
    asked.forEach((one) => {
      if (!one || typeof one.id !== 'string') W.fail('REQUEST_BROKEN', {}, 'dcql_query');
      fits[one.id] = candidates(one, cards);
    });
    const able = (ids) => ids.every((id) => fits[id] && fits[id].length);
    const one = (id, required) => ({ id, required, query: asked.find((each) => each.id === id), fits: fits[id] });
    if (!Array.isArray(query.credential_sets)) {
      const missing = asked.filter((each) => !fits[each.id].length);
      return missing.length ? { missing } : { wanted: asked.map((each) => one(each.id, true)) };
    }
    const wanted = [];
    const missing = [];
    query.credential_sets.forEach((set) => {
      const option = (set.options || []).find(able);
      const required = set.required !== false;
      if (!option && required) (set.options[0] || []).forEach((id) => missing.push(asked.find((each) => each.id === id)));
      (option || []).forEach((id) => {
        const had = wanted.find((each) => each.id === id);
        if (had) had.required = had.required || required;
        else wanted.push(one(id, required));
      });
    });
    return missing.length ? { missing: missing.filter(Boolean) } : { wanted };
  };
}(window.W));
