// For a page whose address is too long for a cookie: this tab keeps it while the browser is at the login server.
// On the page before that, `data-page` is the address and `data-to` the way to the server; on the page after it, both are empty.
'use strict';

(() => {
  const KEY = 'sso-long-page';
  const { page, to } = document.currentScript.dataset;
  try {
    if (to) {
      sessionStorage.setItem(KEY, page.includes('#') ? page : page + location.hash);
      location.replace(to);
      return;
    }
    const kept = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    const url = new URL(kept ?? '', location.origin);
    if (kept && url.origin === location.origin) location.replace(url.href);
  } catch {
    // No storage: the page says what to do.
  }
})();
