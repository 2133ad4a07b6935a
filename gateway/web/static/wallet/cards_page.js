/* The cards, one card, and where they were shown. */
(function (W) {
  'use strict';
  const el = W.el;
  const rank = { VALID: 0, UNKNOWN: 0, SUSPENDED: 1, EARLY: 1, EXPIRED: 2, REVOKED: 2 };

  const settle = async (place) => {
    const waiting = await W.all('pending');
    let arrived = false;
    for (let i = 0; i < waiting.length; i += 1) {
      const one = waiting[i];
      if ((one.next || 0) > Date.now()) continue;
      try {
        arrived = Boolean(await W.fetchPending(one)) || arrived;
      } catch (error) {
        if (!(error instanceof W.Trouble) || ['NO_CONNECTION', 'SERVER_DOWN', 'TOO_MANY'].indexOf(error.code) < 0) {
          await W.remove('pending', one.id);
          place.appendChild(W.trouble(error, W.meLink()));
          arrived = true;
        }
      }
      if (await W.get('pending', one.id)) {
        one.next = Date.now() + Math.min(one.interval, 60) * 1000;
        await W.put('pending', one);
      }
    }
    return arrived;
  };

  W.cardsPage = async () => {
    const troubles = W.live();
    const list = el('div', { id: 'cards' });
    const known = {}; // what this page learnt last, a failure to learn too
    const draw = async () => {
      const cards = (await W.all('cards')).map((card) => Object.assign(card, known[card.id] ? { status: known[card.id] } : {}))
       .sort((a, b) => rank[W.stateOf(a)] - rank[W.stateOf(b)] || b.received - a.received);
      const waiting = await W.all('pending');
      while (list.firstChild) list.removeChild(list.firstChild);
      W.into(list, [
        waiting.map((one) => el('div', { class: 'notice', 'data-code': 'WAITING', role: 'status' }, el('p', {}, W.say('WAITING', { name: one.name })))),
        cards.map((card) => el('section', { class: 'card', 'data-state': W.stateOf(card) },
          el('a', { href: '#card=' + card.id, class: 'face-link', 'aria-label': card.type.name[0] }, W.face(card)),
          el('h2', {}, W.pair(card.type.name)), el('div', { 'aria-live': 'polite' }, W.pill(card)), W.validity(card),
          el('p', { class: 'row' }, W.usable(card) ? W.link('SHOW_OFFLINE', '#offline=' + card.id, 'button') : null,
            rank[W.stateOf(card)] === 2 ? W.link('ASK_AGAIN', W.base + '/me/credentials', 'button') : null, W.link('DETAILS', '#card=' + card.id, 'button second')))),
        cards.length || waiting.length ? null : [W.notice('EMPTY'), W.meLink()],
      ]);
      return cards;
    };
    W.page(W.say('TITLE'), W.storage.kept ? W.storageNotice() : W.notice('STORAGE_SESSION', {}, 'bad'), troubles, list,
      el('p', { class: 'row' }, W.link('HISTORY', '#history', 'button second')));
    const seen = (cards) => cards.map((card) => card.id + W.stateOf(card) + card.status.failed).join();
    let cards = await draw();
    W.watch(async () => {
      const before = seen(cards);
      const arrived = await settle(troubles);
      for (let i = 0; i < cards.length; i += 1) {
        if (cards[i].status.value !== 'REVOKED') await W.lookUp(cards[i]);
        known[cards[i].id] = cards[i].status;
      }
      if (arrived || before !== seen(cards)) cards = await draw();
    });
  };

  W.cardPage = async (id, fresh) => {
    const card = await W.get('cards', id);
    if (!card) {
      W.toCards();
      return;
    }
    const state = el('div', { 'aria-live': 'assertive' });
    const acts = el('p', { class: 'row' });
    const received = fresh ? W.notice('RECEIVED', {}, 'good') : null;
    const face = el('div', {}, W.face(card));
    const draw = () => {
      face.setAttribute('data-face', W.stateOf(card));
      if (received) received.hidden = !W.usable(card);
      [state, acts].forEach((one) => { while (one.firstChild) one.removeChild(one.firstChild); });
      W.into(state, [W.pill(card), W.why(card)]);
      W.into(acts, [W.usable(card) ? W.link('SHOW_OFFLINE', '#offline=' + card.id, 'button') : null]);
    };
    draw();
    let sure = false;
    const remove = async (event) => {
      if (!sure) {
        sure = true;
        const button = event.currentTarget;
        while (button.firstChild) button.removeChild(button.firstChild);
        W.into(button, W.say('DELETE_SURE'));
        return;
      }
      await W.removeCard(card);
      W.toCards();
    };
    W.page(W.pair(card.type.name), received, fresh ? W.storageNotice(true) : null,
      face, state,
      W.pairs([[W.say('DEPARTMENT'), W.pair(card.department)]].concat(W.rows(card).map((one) => [W.pair(one.label), W.pair(W.value(one.raw))]))),
      W.validity(card), acts, el('p', { class: 'small' }, W.say('SHOW_HINT')),
      el('h2', {}, W.say('ASK_AGAIN')), el('p', {}, W.say('ASK_AGAIN_WHY')), W.meLink(),
      el('p', { class: 'row' }, el('button', { type: 'button', class: 'second', id: 'delete', onclick: remove }, W.say('DELETE')), W.button('BACK', W.toCards, 'second')));
    let before = '';
    W.watch(async () => {
      if (card.status.value !== 'REVOKED') await W.lookUp(card);
      const now = W.stateOf(card) + card.status.failed + Math.floor((W.now() - card.status.at) / 60);
      if (now !== before) draw();
      before = now;
    });
  };

  W.historyPage = async () => {
    const all = (await W.all('shown')).sort((a, b) => b.at - a.at);
    const remove = async (ids) => {
      for (let i = 0; i < ids.length; i += 1) await W.remove('shown', ids[i]);
      W.historyPage();
    };
    W.watch(null);
    W.page(W.say('HISTORY'), el('p', {}, W.say('HISTORY_OWN')),
      all.length ? el('ul', { class: 'history' }, all.map((one) => el('li', {},
        el('p', {}, el('strong', {}, W.pair(one.asker)), ' · ', W.say('DID_' + one.outcome)),
        el('p', { class: 'small' }, W.pair(W.moment(one.at, true)), one.purpose && one.purpose[0] ? [' · ', W.pair(one.purpose)] : null),
        one.shown.length ? el('p', {}, one.shown.map((row) => row[0]).join('、')) : null,
        W.button('HISTORY_REMOVE', () => remove([one.id]), 'small-button second')))) : el('p', {}, W.say('HISTORY_EMPTY')),
      el('p', { class: 'row' }, all.length ? W.button('HISTORY_CLEAR', () => remove(all.map((one) => one.id)), 'second') : null, W.button('BACK', W.toCards, 'second')));
  };
}(window.W));
