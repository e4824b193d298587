// The AJAX broker's page: shows who is logged in, logs in and out, without leaving the page.
// Talks to its own site under /sso/ajax/, and once to the server: the silent attach.
//
// The page comes with what its site knows of the visitor (`data-state`), and its forms work without this script, too.
'use strict';

(() => {
  const TIMEOUT = 10000; // ms, for each request
  const REDIRECT = 'sso-redirect'; // key in sessionStorage: why the page left for the server, until that has succeeded
  const NAME = document.querySelector('.brand').textContent;
  const SERVER_DOWN = `The login server cannot be reached, so ${NAME} does not know whether you are logged in.`;
  // What the page says instead of the server's own words.
  const WORDS = {
    'Invalid credentials': 'Wrong username or password.',
    'This user may not use this site': 'Your account has no access to this site.',
  };
  // Names of the users' attributes; others are shown as they are.
  const LABELS = { username: 'Username', fullname: 'Full name', email: 'Email' };
  // How the last login ended, as the site says once; its pages have the same words.
  const ENDED = {
    expired: 'Your session has expired. Log in again to continue.',
    'logged-out': 'You were logged out at another site or in another tab.',
    revoked: 'Your session was ended for you. Log in again to continue.',
  };
  const SUPERSEDED = 'Somebody has logged in since this page was opened.';
  const THEMES = ['plain', 'forest', 'sunset', 'ocean'];
  /** For requests without a person behind them: looking at the page again is no use of the session. */
  const LOOKING = { 'SSO-Activity': 'none' };

  const $ = (id) => document.getElementById(id);
  const here = () => location.pathname + location.search;
  const attachPage = (why = '') => `/sso/attach?${why}to=${encodeURIComponent(here())}`;
  const REMEMBERED = 'why=remembered&';

  const page = $('main').dataset;
  /** What is shown. `undefined`: not known; `null`: nobody is logged in. */
  let user = { user: { username: page.username }, nobody: null }[page.state];
  /** The browser is on its way to the server: what happens here no longer matters. */
  let leaving = false;

  /** The page is being left for a top-level attach. Not for people, only ends the task. */
  class Leaving extends Error {}

  /** An error that people can read, with the address to try again at. */
  class Problem extends Error {
    constructor(message, tryAgain = here()) {
      super(message);
      this.tryAgain = tryAgain;
    }
  }

  /** A problem after which nobody knows who is logged in, and the forms would lead nowhere. */
  class Unlinked extends Problem {}

  /** Why a silent attach got nowhere; the redirect is still to be tried. */
  class Blocked extends Error {}

  // --- Requests to this site ---------------------------------------------------------------------------------

  /**
   * One request to /sso/ajax/. With a body it is a POST of JSON.
   * @returns {Promise<{status: number, data: any, ended?: string, remembered: boolean}>} `data` is null when there is none;
   *   `ended`: how the last login ended, in words; `remembered`: a new attach by redirect logs this browser in
   */
  async function request(command, body, headers = {}) {
    const options = {
      headers: { Accept: 'application/json', ...headers },
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT),
    };
    if (body !== undefined) {
      options.method = 'POST';
      options.headers['Content-Type'] = 'application/json';
      options.body = JSON.stringify(body);
    }
    let response;
    let text;
    try {
      response = await fetch('/sso/ajax/' + command, options);
      text = await response.text();
    } catch {
      throw new Problem('This site does not answer. Are you offline?');
    }
    const ended = ENDED[response.headers.get('SSO-Ended')?.split(';')[0]];
    return { status: response.status, data: parse(text), ended, remembered: response.headers.has('SSO-Resume') };
  }

  function parse(text) {
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  }

  /** A request that needs the token to be attached; if it is not, attaches and asks once more. */
  async function ask(command, body, headers) {
    let answer = await askOnce(command, body, headers);
    if (notAttached(answer)) {
      await attach(answer.data.code === 'superseded' ? SUPERSEDED : undefined);
      answer = await askOnce(command, body, headers);
      if (notAttached(answer)) attachByRedirect('This site could not be linked to your session.');
    }
    return answer;
  }

  /** The same for what is meant for whoever is shown: after a new attach, somebody else may be there. */
  async function askOnce(command, body, headers) {
    const answer = await request(command, body, headers);
    if (answer.status === 503) throw new Unlinked(SERVER_DOWN);
    return answer;
  }

  const notAttached = ({ status, data }) => status === 401 && data?.attach === 'redirect';
  const notAllowed = ({ status, data }) => status === 403 && data?.code === 'user_not_allowed';

  /** What went wrong, as a problem. */
  const unexpected = ({ status, data }) =>
    new Problem(typeof data?.error === 'string' ? WORDS[data.error] ?? data.error : `Unexpected answer (${status}).`);

  // --- Attach: link this site's token to the session at the server -------------------------------------------

  /**
   * From the page if the browser lets us, else by going to the server and back.
   * @param {string} [why] what made it necessary, if there is more to say of it
   */
  async function attach(why) {
    if (page.silent === 'off') attachByRedirect(why ?? 'This site could not be linked to your session.');
    say('Looking for your session at the server …');
    try {
      await attachSilently();
      say(why ?? 'This site is linked to your session, without leaving the page.');
    } catch (error) {
      if (!(error instanceof Blocked)) throw error;
      attachByRedirect(why ?? error.message);
    }
  }

  /** @throws {Blocked} whenever the redirect may still work */
  async function attachSilently() {
    const start = await request('attach', {});
    if (start.status === 503) throw new Unlinked(SERVER_DOWN);
    if (start.status !== 200 || typeof start.data?.url !== 'string') throw new Blocked(unexpected(start).message);

    const { url, mode, state } = start.data;
    const answer = mode === 'jsonp' ? await jsonp(url) : await json(url);
    if (answer?.code === 503) throw new Unlinked(SERVER_DOWN);
    if (answer?.code === 403) throw new Blocked('Your browser sent the server no session cookie from this page.');
    if (typeof answer?.verify !== 'string') {
      const why = typeof answer?.message === 'string' ? answer.message : 'The server sent no verification code.';
      throw new Blocked(why);
    }

    const done = await request('verify', { state, verify: answer.verify });
    if (done.status === 503) throw new Unlinked(SERVER_DOWN);
    if (done.status !== 204) throw new Blocked(unexpected(done).message);
  }

  /** Asks the server with its own cookie, if the browser sends it. */
  async function json(url) {
    try {
      const response = await fetch(url, {
        credentials: 'include',
        headers: { Accept: 'application/json' },
        cache: 'no-store',
        signal: AbortSignal.timeout(TIMEOUT),
      });
      return await response.json();
    } catch {
      throw new Blocked('The login server could not be asked from this page.');
    }
  }

  /** The same for servers without CORS, such as PHP ones: the answer is a script that calls us. */
  function jsonp(url) {
    return new Promise((resolve, reject) => {
      const name = 'ssoAttach' + Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('');
      const script = document.createElement('script');
      const finish = (settle, value) => {
        clearTimeout(timer);
        script.remove();
        delete window[name];
        settle(value);
      };
      const fail = () => finish(reject, new Blocked('The login server could not be asked from this page.'));
      const timer = setTimeout(() => {
        fail();
        window[name] = () => delete window[name]; // the answer may still come
      }, TIMEOUT);

      window[name] = (data) => finish(resolve, data);
      script.onload = fail; // comes after the call; if it was called, failing does nothing
      script.onerror = fail;
      script.referrerPolicy = 'origin'; // the server answers only to pages of known sites
      script.src = url + '&callback=' + name;
      document.head.append(script);
    });
  }

  /** Leaves the page for the server, which sends the browser back. Once; the second time it is an error. */
  function attachByRedirect(why, reason) {
    // Without storage it cannot be noted, and could go on for ever.
    if (redirectedFor() !== null || !noteRedirect(why)) throw new Unlinked(why, attachPage());
    leaving = true;
    say('Going to the server to find your session …');
    location.assign(attachPage(reason));
    throw new Leaving();
  }

  /** Why we have gone to the server, if that has not succeeded since; null if we have not. */
  function redirectedFor() {
    try {
      return sessionStorage.getItem(REDIRECT);
    } catch {
      return null;
    }
  }

  function noteRedirect(why) {
    try {
      sessionStorage.setItem(REDIRECT, why);
      return true;
    } catch {
      return false;
    }
  }

  /** The site is linked. If that took a redirect, says so, once. */
  function linked() {
    const why = redirectedFor();
    if (why === null) return;
    sessionStorage.removeItem(REDIRECT);
    say(`${why} So the page went to the server and straight back, once.`);
  }

  /** Has a remembered browser logged in again: the site counts that it was tried, once. */
  function resume() {
    if (redirectedFor() === null) attachByRedirect('This browser is remembered.', REMEMBERED);
  }

  // --- What the page can be asked to do ----------------------------------------------------------------------

  /** Asks who is logged in and which theme they chose, and shows it. */
  async function refresh(headers) {
    const answer = await ask('info', undefined, headers);
    if (notAllowed(answer)) {
      bar();
      linked();
      return;
    }
    if (answer.status !== 200 && answer.status !== 204) throw unexpected(answer);
    if (answer.remembered) resume();
    const before = user;
    show(answer.status === 200 ? answer.data : null);
    linked();
    if (!user && (answer.ended || before)) say(answer.ended ?? ENDED['logged-out']);
    if (before === null && user) say('You logged in elsewhere.');
    await refreshTheme(headers);
  }

  async function login() {
    if (user) return; // sent twice
    const { username, password } = $('login-form').elements;
    $('login-error').textContent = '';
    let answer;
    try {
      answer = await ask('login', { username: username.value, password: password.value });
    } finally {
      password.value = '';
    }
    if (answer.status !== 200) {
      refuse(unexpected(answer).message);
      return;
    }
    $('login-form').reset();
    show(answer.data);
    say('You are logged in here and on all the other sites that share the session.');
    tellPopup();
    $('heading').focus();
    await refreshTheme();
  }

  /** The popup of this and of the other tabs looks anew who is logged in. */
  function tellPopup() {
    const channel = new BroadcastChannel('sso-session');
    channel.postMessage({ type: 'changed' });
    channel.close();
  }

  /** Shows why a login failed, at the field where the next try begins. */
  function refuse(why) {
    const { username, password } = $('login-form').elements;
    $('login-error').textContent = why;
    for (const field of [username, password]) {
      field.setAttribute('aria-invalid', 'true');
      field.setAttribute('aria-describedby', 'login-error');
    }
    password.focus();
  }

  async function logout() {
    const answer = await askOnce('logout', {});
    // Logging out does not attach by itself: it would log out whoever is there now. Show who that is.
    if (notAttached(answer)) {
      await refresh();
      const why = answer.data.code === 'superseded' ? SUPERSEDED : 'This site had lost its link to your session.';
      if (user) say(`${why} Nobody was logged out. To log out ${user.username}, log out again.`);
      return;
    }
    if (answer.status !== 204) throw unexpected(answer);
    show(null);
    say('You are logged out here and on all the other sites that share the session.');
    tellPopup();
    $('heading').focus();
    await refreshTheme();
  }

  async function chooseTheme() {
    const theme = new FormData($('theme-form')).get('theme');
    const before = user;
    await refresh(LOOKING);
    if (user?.username !== before?.username) {
      if (user !== undefined) say('Somebody has logged in or out since this page was opened: nothing was changed.');
      return;
    }
    const answer = await askOnce('data', { theme });
    if (notAllowed(answer)) {
      bar();
      return;
    }
    if (answer.status !== 200) throw unexpected(answer);
    showTheme(answer.data);
    say('The theme was changed on all the sites that share the session.');
  }

  async function refreshTheme(headers) {
    const answer = await ask('data', undefined, headers);
    if (answer.status === 200) showTheme(answer.data);
  }

  // --- What is shown. Text goes in as text, never as HTML ----------------------------------------------------

  function say(text) {
    $('status').textContent = text;
  }

  /** Label and text of an attribute; of one that has parts, such as the profile, those of each part. */
  function rowsOf([name, value]) {
    const label = key => LABELS[key] ?? key;
    const text = one => (typeof one === 'string' ? one : JSON.stringify(one));
    const hasParts = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!hasParts) return [[label(name), text(value)]];
    return Object.entries(value).map(([part, one]) => [`${label(part)} (${name})`, text(one)]);
  }

  /** @param {object | null} now the user, or nobody */
  function show(now) {
    user = now;
    $('heading').textContent = user ? `Logged in as ${user.username}` : 'You are logged out';
    reveal(user ? ['user', 'theme'] : ['login', 'theme']);
    const rows = Object.entries(user ?? {}).flatMap(rowsOf).filter(([, text]) => text !== '');
    const list = element('dl');
    list.append(...rows.flatMap(([label, text]) => [element('dt', label), element('dd', text)]));
    $('attributes').replaceChildren(list);
    if (user) forgetLogin();
  }

  /** Somebody is logged in who may not use this site. It is not told who: all it offers is a logout. */
  function bar() {
    user = undefined;
    say('');
    $('heading').textContent = 'Your account has no access to this site';
    $('attributes').replaceChildren();
    reveal(['barred']);
    showTheme(null);
  }

  /** Shows these of the sections. Whoever was in one that goes away is led to the heading. */
  function reveal(ids) {
    const focused = document.activeElement;
    $('looking')?.remove();
    for (const id of ['user', 'barred', 'login', 'theme']) $(id).hidden = !ids.includes(id);
    if (focused?.closest('[hidden]')) $('heading').focus();
  }

  /** Leaves no failed try behind for the next one who logs in here. */
  function forgetLogin() {
    $('login-error').textContent = '';
    for (const field of $('login-form').querySelectorAll('[aria-invalid]')) {
      field.removeAttribute('aria-invalid');
      field.removeAttribute('aria-describedby');
    }
  }

  /** Any site may write to the shared data: only known themes are taken from it. */
  function showTheme(data) {
    const theme = THEMES.includes(data?.theme) ? data.theme : 'plain';
    const root = document.documentElement;
    const radio = $('theme-form').querySelector(`input[value="${theme}"]`);
    if (root.dataset.theme !== theme) radio.checked = true; // else leave a choice in the making alone
    root.dataset.theme = theme;
  }

  function showProblem(problem) {
    say('');
    if (problem instanceof Unlinked || user === undefined) {
      user = undefined;
      $('heading').textContent = NAME;
      reveal([]);
    }
    const link = element('a', 'Try again');
    link.href = problem.tryAgain;
    const way = element('p');
    way.append(link);
    $('problem').replaceChildren(element('p', problem.message), way);
  }

  function element(name, text = '') {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }

  // --- Events ------------------------------------------------------------------------------------------------

  /** The tasks, one after the other, so that no answer overtakes another. */
  let last = Promise.resolve();
  let waiting = 0;

  function run(task) {
    waiting += 1;
    last = last.then(async () => {
      try {
        if (leaving) return;
        await task();
        $('problem').replaceChildren();
      } catch (error) {
        if (error instanceof Leaving) return;
        showProblem(error instanceof Problem ? error : new Problem('Something went wrong on this page.'));
      } finally {
        waiting -= 1;
      }
    });
  }

  /** Someone may have logged in or out elsewhere. */
  function lookAgain() {
    if (waiting === 0) run(() => refresh(LOOKING));
  }

  $('login-form').addEventListener('submit', (event) => {
    event.preventDefault();
    run(login);
  });
  for (const form of document.querySelectorAll('form[action="/logout"]')) {
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      run(logout);
    });
  }
  $('theme-form').addEventListener('submit', (event) => {
    event.preventDefault();
    run(chooseTheme);
  });
  // Where this page logged out itself, the popup (session-popup.js) has nothing to add.
  document.addEventListener('sso-session-expired', (event) => {
    if (!user) event.preventDefault();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') lookAgain();
  });
  window.addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    leaving = false; // back from the server by the Back button
    lookAgain();
  });

  if (page.state === 'unknown') {
    run(refresh);
  } else {
    const said = $('status').textContent;
    linked();
    if (said) say(said); // how the last login ended
    if (page.remembered !== undefined) run(resume);
  }
})();
