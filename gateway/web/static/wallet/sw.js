/* Keeps the page and its files, and nothing else, so that a card can be shown without a network. */
'use strict';
const VERSION = 'wallet-{{version}}';
const FILES = ['../wallet', 'app.js', 'wallet.css', 'manifest.webmanifest', 'icon.svg', 'icon-192.png'];
const PATIENCE = 3000; // ms the network has before what is kept answers

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(VERSION).then((cache) => cache.addAll(FILES.map((name) => new Request(name, { cache: 'reload', credentials: 'omit' })))).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter((name) => name.indexOf('wallet-') === 0 && name !== VERSION).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  const page = new URL('../wallet', self.location.href);
  const ours = url.origin === page.origin && (url.pathname === page.pathname || url.pathname.indexOf(page.pathname + '/') === 0);
  if (!ours || event.request.method !== 'GET') return;
  const kept = () => caches.open(VERSION).then((cache) => cache.match(url.pathname === page.pathname ? page.href : url.href));
  event.respondWith(new Promise((answer) => {
    let given = false;
    const give = (response) => { if (response && !given) { given = true; answer(response); } };
    setTimeout(() => kept().then(give), PATIENCE);
    fetch(event.request).then(give, () => kept().then((response) => give(response || Response.error())));
  }));
});
