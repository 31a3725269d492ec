/* Keeps the files of the page, so that it opens where there is no network. It never answers for the service: nothing under /subrosa/ and /store/, and no policy. */
const FILES = __FILES__;
const NAME = 'subrosa-page-__VERSION__';

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(NAME)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  const old = (names) => names.filter((name) => name.startsWith('subrosa-page-') && name !== NAME);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const { method, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== 'GET' || origin !== self.location.origin || !FILES.includes(pathname)) return;
  // The network first: what is kept is for when there is none.
  event.respondWith(
    fetch(event.request).catch(async () => {
      const kept = await caches.open(NAME).then((cache) => cache.match(pathname));
      return kept ?? Response.error();
    }),
  );
});
