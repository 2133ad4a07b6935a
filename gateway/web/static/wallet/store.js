/* What the wallet keeps, in IndexedDB: cards with their keys, what is awaited, what was shown, what is known of issuers.
   Where the browser refuses, the same in memory, and the person is told before anything is spent. */
(function (W) {
  'use strict';
  const NAME = 'yimen-wallet';
  const KINDS = ['cards', 'pending', 'shown', 'kept'];
  const LITTLE = 120 * 1024 * 1024; // bytes a browser grants a private window at most, as a rule
  let database = null;
  const memory = {};
  KINDS.forEach((kind) => { memory[kind] = new Map(); });

  W.storage = { kept: false, why: '', persisted: false, little: false };

  const asked = (request) => new Promise((yes, no) => {
    request.onsuccess = () => yes(request.result);
    request.onerror = () => no(request.error || new Error('storage'));
  });

  const open = () => new Promise((yes, no) => {
    const request = indexedDB.open(NAME, 1); // throws where it is switched off
    request.onupgradeneeded = () => KINDS.forEach((kind) => request.result.createObjectStore(kind, { keyPath: 'id' }));
    request.onsuccess = () => yes(request.result);
    request.onerror = () => no(request.error || new Error('storage'));
    request.onblocked = () => no(new Error('blocked'));
    setTimeout(() => no(new Error('late')), 5000); // some WebViews answer nothing at all
  });

  const run = (kind, mode, work) => new Promise((yes, no) => {
    let result;
    const transaction = database.transaction(kind, mode);
    transaction.oncomplete = () => yes(result);
    transaction.onabort = () => no(transaction.error || new Error('aborted'));
    transaction.onerror = () => no(transaction.error || new Error('storage'));
    asked(work(transaction.objectStore(kind))).then((found) => { result = found; }, no);
  });

  /** Opens, and tries the very thing that matters: a key that cannot be read out goes in and comes back. */
  W.openStore = async () => {
    try {
      if (!window.indexedDB) throw new Error('none');
      database = await open();
      const pair = await W.newKey();
      await run('kept', 'readwrite', (store) => store.put({ id: 'probe', key: pair.key }));
      const back = await run('kept', 'readonly', (store) => store.get('probe'));
      if (!back || !(back.key instanceof CryptoKey)) throw new Error('DataCloneError');
      await run('kept', 'readwrite', (store) => store.delete('probe'));
      W.storage.kept = true;
    } catch (error) {
      database = null;
      W.storage.why = (error && (error.name === 'Error' ? error.message : error.name)) || 'refused';
    }
    try {
      if (W.storage.kept && navigator.storage && navigator.storage.persisted) {
        W.storage.persisted = await navigator.storage.persisted();
        const room = await navigator.storage.estimate();
        W.storage.little = Boolean(room && room.quota && room.quota < LITTLE);
      }
    } catch (error) {
      W.storage.persisted = false;
    }
  };

  /** Asked for once there is something worth keeping. */
  W.persist = async () => {
    try {
      if (W.storage.kept && navigator.storage && navigator.storage.persist) W.storage.persisted = await navigator.storage.persist();
    } catch (error) {
      W.storage.persisted = false;
    }
  };

  W.all = async (kind) => (database ? run(kind, 'readonly', (store) => store.getAll()) : Array.from(memory[kind].values()));
  W.get = async (kind, id) => (database ? run(kind, 'readonly', (store) => store.get(id)) : memory[kind].get(id));
  W.put = async (kind, value) => {
    if (!database) {
      memory[kind].set(value.id, value);
      return;
    }
    try {
      await run(kind, 'readwrite', (store) => store.put(value));
    } catch (error) {
      throw new W.Trouble('STORAGE_FULL', {}, error && error.name);
    }
  };
  W.remove = async (kind, id) => {
    if (database) await run(kind, 'readwrite', (store) => store.delete(id));
    else memory[kind].delete(id);
  };

  /** WebKit forgets what a page stored after seven days without a visit, unless it stands on the home screen. */
  W.forgetful = () => {
    const phone = /iPhone|iPad|iPod/.test(navigator.userAgent) || (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
    const standing = navigator.standalone === true || window.matchMedia('(display-mode: standalone)').matches;
    return phone && !standing;
  };
}(window.W));
