/* Link -> card: one look, one tap. */
(function (W) {
  'use strict';
  const el = W.el;

  const otherWallets = (query) => {
    const kept = ['credential_offer_uri', 'credential_offer'].filter((name) => query.get(name)).map((name) => name + '=' + encodeURIComponent(query.get(name)));
    return el('details', {}, el('summary', {}, W.say('OTHER_WALLET')),
      [['openid-credential-offer', 'OTHER_WALLET_OPEN', 'other-wallet'], ['haip-vci', 'OTHER_WALLET_HAIP', 'haip-wallet']].map((one) =>
        el('p', {}, el('a', { class: 'button second', id: one[2], href: one[0] + '://?' + kept.join('&') }, W.say(one[1])))));
  };

  const codeField = (asked) => {
    if (!asked) return null;
    const numeric = (asked.input_mode || 'numeric') === 'numeric';
    return [
      el('label', { for: 'tx_code' }, W.say('TX_CODE')),
      el('p', { class: 'small', id: 'tx_hint' }, asked.description || W.say('TX_OTHER')),
      el('input', {
        id: 'tx_code', type: 'text', autocomplete: 'one-time-code', inputmode: numeric ? 'numeric' : 'text', 'aria-describedby': 'tx_hint',
        maxlength: asked.length ? String(asked.length + 4) : null, autocapitalize: 'off', spellcheck: 'false', required: true,
      }),
    ];
  };

  W.receivePage = async (query) => {
    W.page(W.say('TITLE'), el('p', {}, W.say('WORKING')));
    let offered;
    try {
      offered = await W.readOffer(query);
      await W.prepareTrust(); // so that what arrives can be judged even if the network goes
    } catch (error) {
      const foreign = error instanceof W.Trouble && ['OTHER_ISSUER', 'FORMAT_UNKNOWN', 'GRANT_UNKNOWN'].indexOf(error.code) >= 0;
      W.page(W.say('TITLE'), W.trouble(error, foreign ? otherWallets(query) : null, error.code === 'OFFER_GONE' ? W.meLink() : null),
        W.button('TO_CARDS', W.toCards, 'second'));
      return;
    }
    const name = W.listed(offered.names);
    const place = W.live();
    let token = null;
    let pending = null;

    const take = () => W.busy('RECEIVING', place, async () => {
      const field = document.getElementById('tx_code');
      const code = field ? field.value.replace(/[\s-]/g, '') : '';
      if (field && !code) W.fail('CODE_MISSING');
      token = token || await W.redeem(offered, code);
      pending = pending || await W.begin(offered, token);
      history.replaceState(null, '', location.pathname); // the link is spent: a reload shows the wallet
      const got = [];
      let waits = false; // the list says what is still to come
      while (pending.length) {
        const card = await W.fetchPending(pending[0]);
        if (card) got.push(card); else waits = true;
        pending.shift();
      }
      if (got.length === 1 && !waits) W.go('card=' + got[0].id + '&new=1');
      else W.toCards();
    });
    const form = el('form', { novalidate: true, onsubmit: (event) => { event.preventDefault(); take(); } },
      codeField(offered.grant.tx_code),
      el('button', { type: 'submit', id: 'take', class: 'big' }, W.say(W.storage.kept ? 'TAKE' : 'TAKE_ONCE')));
    W.page(W.say('RECEIVE', { name }), W.pairs([
      [W.say('DEPARTMENT'), W.pair(offered.department)],
      [W.say('DOCUMENT'), W.pair(name)],
      offered.holder ? [W.say('HOLDER'), offered.holder] : null,
    ]), offered.holder ? null : el('p', { class: 'small' }, W.say('HOLDER_UNSAID')), W.storageNotice(), form, place, el('p', { class: 'small' }, W.say('NOTHING_SPENT')), otherWallets(query));
  };
}(window.W));
