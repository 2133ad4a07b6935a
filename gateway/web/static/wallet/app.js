/* Where it begins: what the link says, else the cards. */
(function (W) {
  'use strict';
  W.go = (hash) => {
    W.watch(null);
    if (location.hash === '#' + hash) route();
    else location.hash = hash;
  };
  W.toCards = () => {
    history.replaceState(null, '', location.pathname);
    W.watch(null);
    return W.cardsPage();
  };

  const able = () => window.crypto && crypto.subtle && window.fetch && window.URLSearchParams && window.TextEncoder && window.Promise;

  async function route() {
    const query = new URLSearchParams(location.search);
    const hash = new URLSearchParams(location.hash.slice(1));
    try {
      if (hash.get('card')) await W.cardPage(hash.get('card'), hash.get('new') === '1');
      else if (hash.get('offline')) await W.offlinePage(hash.get('offline'));
      else if (hash.has('history')) await W.historyPage();
      else if (query.get('credential_offer_uri') || query.get('credential_offer')) await W.receivePage(query);
      else if (query.get('client_id') || query.get('request_uri')) await W.showPage(query);
      else await W.cardsPage();
    } catch (error) {
      W.page(W.say('TITLE'), W.trouble(error), W.button('TO_CARDS', W.toCards, 'second'));
    }
  }

  window.addEventListener('hashchange', () => { W.watch(null); route(); });
  (async () => {
    if (!able() || window.isSecureContext === false) {
      W.page(W.say('TITLE'), W.trouble(new W.Trouble(window.isSecureContext === false ? 'INSECURE' : 'TOO_OLD')));
      return;
    }
    await W.openStore();
    if ('serviceWorker' in navigator && W.storage.kept) {
      navigator.serviceWorker.register('wallet/sw.js', { scope: 'wallet' }).catch(() => {}); // without it the page needs a network, no more
    }
    await route();
    W.tellAll().catch(() => {});
  })();
}(window.W));
