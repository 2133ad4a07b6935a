/* Somebody asks: who, what for, each claim with its value; two buttons of the same weight. */
(function (W) {
  'use strict';
  const el = W.el;
  const label = (card, path) => W.labelOf(card, path.filter((one) => typeof one === 'string'));

  /** The very words of the person's own page (gateway/consent/notice.py). */
  const noticeWords = (notice) => ['organisation', 'purpose', 'items', 'starts', 'ends', 'use', 'assurances'].map((name) => {
    const all = (Array.isArray(notice[name]) ? notice[name] : [notice[name]]).map((one) => W.words(one)).filter((one) => one[0]);
    return all.length ? el('div', {}, el('h3', {}, W.say('CONSENT_' + name.toUpperCase())), all.map((one) => el('p', {}, W.pair(one)))) : null;
  });
  const consentWords = (transaction) => {
    if (W.isObject(transaction.read.notice)) return noticeWords(transaction.read.notice);
    const skip = ['type', 'credential_ids', 'transaction_data_hashes_alg'];
    return W.pairs(Object.keys(transaction.read).filter((name) => skip.indexOf(name) < 0).map((name) => {
      const value = transaction.read[name];
      return [name, W.pair(W.isObject(value) && (value.zh || value.en) ? W.words(value) : W.value(value))];
    }));
  };

  /** One credential of the question as a block of the form; `chosen()` says what of it is to be shown. */
  const block = (one, number) => {
    let pick = one.fits[0];
    const ticks = el('div', {});
    const include = one.required ? null : el('input', { type: 'checkbox', id: 'also' + number });
    const name = () => pick.card.type.name;
    const optional = [];
    const draw = () => {
      while (ticks.firstChild) ticks.removeChild(ticks.firstChild);
      optional.length = 0;
      const card = pick.card;
      const always = W.rows(card).filter((row) => card.hidden.indexOf(row.path[0]) < 0);
      const must = pick.claims.must.filter((claim) => card.hidden.indexOf(claim.path[0]) >= 0);
      const seen = always.map((row) => row.path[0]).concat(must.map((claim) => claim.path[0]), pick.claims.may.map((claim) => claim.path[0]));
      const unseen = W.rows(card).filter((each) => seen.indexOf(each.path[0]) < 0).map((each) => each.label);
      const row = (words, value, tag) => el('li', {}, el('span', { class: 'label' }, W.pair(words)), el('span', { class: 'worth' }, W.pair(value)), el('span', { class: 'tag' }, W.say(tag)));
      W.into(ticks, [
        el('ul', { class: 'claims' },
          must.map((claim) => row(label(card, claim.path), W.value(claim.values.length > 1 ? claim.values : claim.values[0]), 'NEEDED')),
          pick.claims.may.map((claim, i) => {
            const box = el('input', { type: 'checkbox', id: 'may' + number + '-' + i });
            optional.push({ box, claim });
            return el('li', {}, el('label', { for: 'may' + number + '-' + i, class: 'tick' }, box, el('span', { class: 'label' }, W.pair(label(card, claim.path))),
              el('span', { class: 'worth' }, W.pair(W.value(claim.values[0]))), el('span', { class: 'tag' }, W.say('OPTIONAL'))));
          }),
          row(W.both('DEPARTMENT'), card.department, 'ALWAYS'),
          always.map((each) => row(each.label, W.value(each.raw), 'ALWAYS')),
          card.exp ? row(W.both('VALID_UNTIL', { day: ['', ''] }).map((text) => text.trim()), W.moment(card.exp), 'ALWAYS') : null),
        unseen.length ? el('p', { class: 'small' }, W.say('NOT_SEEN', { names: W.listed(unseen) })) : null,
      ]);
    };
    draw();
    const which = one.fits.length < 2 ? null : el('fieldset', {}, el('legend', {}, W.say('WHICH')), one.fits.map((fit, i) => el('label', { class: 'tick' },
      el('input', { type: 'radio', name: 'which' + number, checked: i === 0, onchange: () => { pick = fit; draw(); } }),
      el('span', {}, W.pair(fit.card.department), ' · ', W.validity(fit.card).textContent))));
    return {
      node: el('section', { class: 'ask' }, el('h3', {}, W.pair(name())),
        include ? el('label', { class: 'tick', for: include.id }, include, el('span', {}, W.say('ALSO_SHOW', { name: name() }))) : null, which, ticks),
      card: () => pick.card,
      chosen: () => {
        if (include && !include.checked) return null;
        const claims = pick.claims.must.concat(optional.filter((each) => each.box.checked).map((each) => each.claim));
        return { id: one.id, card: pick.card, paths: claims.reduce((all, claim) => all.concat(claim.paths), []), labels: claims.map((claim) => label(pick.card, claim.path)) };
      },
    };
  };

  const nameOfType = async (query) => {
    const vct = ((query.meta || {}).vct_values || [])[0] || '';
    try {
      return (await W.typeOf(vct)).name;
    } catch (error) {
      return [vct.split('/').slice(-2)[0] || query.id, ''];
    }
  };

  const done = async (heading, outcome, request, shown, onwards, more) => {
    await W.note(outcome, request.asker, request.purpose, shown).catch(() => {});
    history.replaceState(null, '', location.pathname);
    W.watch(null);
    if (onwards) {
      location.assign(onwards); // with its response_code, in the browser that asked
      return;
    }
    W.page(heading, more, el('p', { class: 'row' }, W.button('TO_CARDS', W.toCards, 'second')));
  };

  const refuse = (request, place, heading) => W.busy('SENDING', place, async () => {
    const onwards = await W.refuseRequest(request, 'access_denied');
    await done(heading, 'REFUSED', request, [], onwards);
  });

  const missingPage = async (request, missing, dead) => {
    const place = W.live();
    const names = await Promise.all(missing.map(nameOfType));
    W.page(W.say('MISSING', { names: W.listed(names) }), el('p', {}, W.say('ASKED', { asker: request.asker })),
      dead ? [W.notice('MISSING_DEAD', { state: W.both(W.stateOf(dead)) }, 'bad')] : null,
      el('p', {}, W.say('MISSING_WHY')), W.meLink(), W.button('TELL_NOT', () => refuse(request, place, W.say('TOLD_NOT'))), place);
  };

  W.showPage = async (query) => {
    W.page(W.say('TITLE'), el('p', {}, W.say('WORKING')));
    let request;
    let found;
    let cards;
    try {
      request = await W.readRequest(query);
      cards = await W.all('cards');
      await Promise.all(cards.map(W.lookUp));
      found = W.matching(request.claims.dcql_query, cards.filter(W.usable));
    } catch (error) {
      if (request && error instanceof W.Trouble && error.code === 'REQUEST_BROKEN') W.refuseRequest(request, 'invalid_request').catch(() => {});
      W.page(W.say('TITLE'), W.trouble(error), W.button('TO_CARDS', W.toCards, 'second'));
      return;
    }
    if (found.missing) {
      const wanted = found.missing.reduce((all, one) => all.concat((one.meta || {}).vct_values || []), []);
      await missingPage(request, found.missing, cards.find((card) => wanted.indexOf(card.vct) >= 0 && !W.usable(card)));
      return;
    }
    const blocks = found.wanted.map(block);
    const place = W.live();
    const show = () => W.busy('SENDING', place, async () => {
      const chosen = blocks.map((one) => one.chosen()).filter(Boolean);
      const onwards = await W.answerRequest(request, chosen);
      const shown = chosen.reduce((all, one) => all.concat([[one.card.type.name[0] + (one.labels.length ? '（' + one.labels.map((each) => each[0]).join('、') + '）' : '')]]), []);
      await done(W.say('SHOWN', { asker: request.asker }), 'SHOWN', request, shown, onwards, el('p', {}, W.say('SHOWN_NEXT')));
    });
    W.page(W.say('ASKED', { asker: request.asker }),
      W.pairs([request.client ? [W.say('CLIENT'), request.client] : null, [W.say('PURPOSE'), request.purpose[0] ? W.pair(request.purpose) : W.say('PURPOSE_UNSAID')],
        request.reference ? [W.say('REFERENCE'), request.reference] : null]),
      request.transactions.length ? el('div', { class: 'notice' }, el('h2', {}, W.say('CONSENT')), request.transactions.map(consentWords)) : null,
      el('h2', {}, W.say('THEY_SEE')), blocks.map((one) => one.node), place,
      el('div', { class: 'choice' }, W.button('SHOW', show, 'even'), W.button('REFUSE', () => refuse(request, place, W.say('REFUSED_DONE')), 'even')));
    W.watch(async () => { // what is revoked while the question stands there is not shown any more
      await Promise.all(cards.map(W.lookUp));
      if (blocks.some((one) => !W.usable(one.card()))) {
        W.watch(null);
        W.showPage(query);
      }
    });
  };
}(window.W));
