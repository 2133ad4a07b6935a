/* What every page is made of: the frame, notices, a status pill, moving between pages. */
(function (W) {
  'use strict';
  const el = W.el;
  const main = () => document.getElementById('page');

  /** Puts a page up; its heading takes the focus, so that a screen reader begins there. */
  W.page = (heading, ...content) => {
    const title = el('h1', { tabindex: '-1' }, heading);
    const place = main();
    while (place.firstChild) place.removeChild(place.firstChild);
    W.into(place, [title, content]);
    document.title = title.textContent;
    window.scrollTo(0, 0);
    title.focus();
  };

  W.notice = (code, params, kind) => el('div', { class: 'notice' + (kind ? ' ' + kind : ''), 'data-code': code }, el('p', {}, W.say(code, params)));

  /** An error: what happened, what to do, and the code for whoever is asked for help. */
  W.trouble = (error, ...more) => {
    const known = error instanceof W.Trouble;
    const code = known ? error.code : 'SERVER_ANSWER';
    const detail = known ? error.detail : String((error && error.message) || error).slice(0, 80);
    return el('div', { class: 'notice bad', role: 'alert', 'data-code': code },
      el('p', {}, W.say(code, known ? error.params : {})), more,
      detail ? el('p', { class: 'small' }, W.say('CODE', { code: detail })) : null);
  };

  W.button = (code, work, kind, params) => el('button', { type: 'button', class: kind || '', onclick: work }, W.say(code, params));
  W.link = (code, href, kind) => el('a', { href, class: kind || '' }, W.say(code));
  W.meLink = () => W.link('ME', W.base + '/me/credentials', 'button second');
  W.pairs = (rows) => el('dl', {}, rows.filter(Boolean).map((row) => [el('dt', {}, row[0]), el('dd', {}, row[1])]));

  /** Runs `work` with the buttons of `form` asleep and a word of comfort; whatever goes wrong stands in `place`. */
  W.busy = async (code, place, work) => {
    const buttons = Array.from(main().querySelectorAll('button'));
    buttons.forEach((one) => { one.disabled = true; });
    while (place.firstChild) place.removeChild(place.firstChild);
    place.appendChild(el('p', { class: 'working' }, W.say(code)));
    try {
      await work();
    } catch (error) {
      while (place.firstChild) place.removeChild(place.firstChild);
      const again = error instanceof W.Trouble && ['OFFER_GONE', 'TOKEN_GONE', 'DENIED', 'REFUSED'].indexOf(error.code) >= 0;
      place.appendChild(W.trouble(error, again ? W.meLink() : null));
      buttons.forEach((one) => { one.disabled = false; });
    }
  };
  W.live = () => el('div', { 'aria-live': 'polite', class: 'live' });

  const ago = (at) => {
    const passed = Math.max(0, W.now() - at);
    if (passed < 3600) return W.both('MINUTES', { n: Math.max(1, Math.floor(passed / 60)) });
    if (passed < 86400) return W.both('HOURS', { n: Math.floor(passed / 3600) });
    return W.both('DAYS', { n: Math.floor(passed / 86400) });
  };
  const checked = (card) => {
    if (!card.status.at) return null;
    return W.now() - card.status.at < 60 && !card.status.failed ? W.say('CHECKED_NOW') : W.say('CHECKED', { ago: ago(card.status.at) });
  };

  /** The status and how old that knowledge is. */
  W.pill = (card) => {
    const state = W.stateOf(card);
    return el('p', { class: 'status', 'data-state': state },
      el('strong', { class: 'pill ' + state.toLowerCase() }, W.say(state)), ' ', el('span', { class: 'age' }, checked(card)),
      card.status.failed ? el('span', { class: 'age' }, ' ', W.say('OFFLINE_NOW')) : null);
  };
  W.why = (card) => {
    const code = { REVOKED: 'REVOKED_WHY', SUSPENDED: 'SUSPENDED_WHY', EXPIRED: 'EXPIRED_WHY' }[W.stateOf(card)];
    return code ? el('div', { class: 'notice bad', 'data-code': code }, el('p', {}, W.say(code)), code === 'SUSPENDED_WHY' ? null : W.meLink()) : null;
  };
  W.validity = (card) => el('p', {}, card.exp ? W.say('VALID_UNTIL', { day: W.moment(card.exp) }) : W.say('NO_END'));

  /** What the browser may do to what is kept here, said once where it matters. */
  W.storageNotice = (fresh) => {
    if (!W.storage.kept) return W.notice('STORAGE_REFUSED', {}, 'bad');
    if (W.forgetful()) return W.notice('STORAGE_WEBKIT');
    if (W.storage.little) return W.notice('STORAGE_LITTLE');
    return fresh && !W.storage.persisted ? el('p', { class: 'small' }, W.say('STORAGE_LOOSE')) : null;
  };

  /** Looks the cards of a page up again and again while somebody looks at it, at once when they come back to it. */
  const EVERY = 4000; // ms
  let watch = null;
  W.watch = (work) => { watch = work; if (work) work(); };
  let running = false;
  const tick = async () => {
    if (!watch || running || document.hidden) return;
    running = true;
    try {
      await watch();
    } finally {
      running = false;
    }
  };
  setInterval(tick, EVERY);
  document.addEventListener('visibilitychange', tick);
  window.addEventListener('focus', tick);
  window.addEventListener('online', tick);
}(window.W));
