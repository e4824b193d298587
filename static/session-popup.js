// The session popup: warns before the session ends, and hides the page once it is over. All its words are in its
// <dialog class="session-popup"> (templates/parts/session_popup.html), all its looks in session-popup.css.
//
// The server decides. This script only counts down from its last answer, with a clock that nobody can set, and asks
// again (which never extends) before it claims anything: before it warns, before it says that time is up, and after
// whatever may have made its count wrong.
//
//   quiet ──▶ watching ──▶ warned ──▶ ended           quiet: nobody is logged in; nothing is asked
//                 ▲           │ ▲       │             closed: the user closed a warning that cannot be put off
//                 └───────────┤ ▼       │             unreachable: time is up by our count, the server is silent
//                 │        closed       │             ended: over; the page is hidden until the same user is back
//                 └── unreachable ◀─────┴── (any of these becomes any other when the server says so)
//
// Escape is the same as the first button. "Stay logged in": whoever presses a key is there, and a warning that is
// merely closed would run out behind a page where typing extends nothing (WCAG 2.2.1: a simple action extends). Where
// nothing can be extended it closes the warning, which comes back once, for the last half minute.
//
// For other scripts there are two events on `document`:
//   sso-session-expired   `detail.reason`: 'expired', 'signed-out', 'signed-out-elsewhere', 'revoked', 'superseded'
//                         (somebody has logged in since, not known who) or 'changed' (other user).
//                         `preventDefault()`: the page shows that itself; then nothing is hidden and no dialog is seen.
//   sso-session-extended  `detail.expires_in`: seconds, or null where there is no limit. After a warning or an end.
// A script that logs in or out without loading a page says so to all tabs, this one too:
//   new BroadcastChannel('sso-session').postMessage({ type: 'changed' })
'use strict';

(() => {
  const SECOND = 1000;
  const TIMEOUT = 8 * SECOND; // for each request
  const RECHECK = 300 * SECOND; // far from the warning: time and again, as the session may be shortened elsewhere
  const HEARTBEAT = 15 * SECOND; // how often a visible page looks (at its clocks only) whether the machine slept
  const LATE = 5 * SECOND; // a timer that fires so much later than planned slept
  const APART = 3 * SECOND; // two clocks that differ by so much since the last look: one of them slept, or was set
  const POLL = [2 * SECOND, 5 * SECOND]; // while warned: least and most time between two questions
  const BACKOFF = [2 * SECOND, 30 * SECOND]; // while the server does not answer: first and longest pause
  const GAP = 2 * SECOND; // between two questions for reasons such as focus, which come in bunches
  const SLACK = 5 * SECOND; // a session that ended so shortly before its time has expired
  const WARN_BEFORE = 120; // seconds, should the server not say
  const SPOKEN_AT = [60, 30, 10]; // seconds left that are read out
  const COMES_BACK = 30 * SECOND; // a warning that was closed, once
  const CHANNEL = 'sso-session';
  const SECRET = /^sso_|^(code|state|verify|key|sig|signature|jwt|password|secret)$|token$/i; // never sent on in an address

  const dialog = document.querySelector('dialog.session-popup');
  if (!dialog || !dialog.showModal) return;

  const root = document.documentElement;
  const parts = [...dialog.querySelectorAll('[data-part]')];
  const spoken = dialog.querySelector('.session-popup-spoken');
  const now = () => performance.now();
  const visible = () => document.visibilityState === 'visible';
  const clamp = (value, [least, most]) => Math.min(Math.max(value, least), most);

  let state = 'quiet';
  /** Whose page this is: the name in the first answer with somebody logged in. */
  let user;
  /** What the server said last: {at, expires, absolute, warn}, in ms; `at` on our own clock, the others from there.
      `wall` is when that was by the clock on the wall, which chooses no more than words. */
  let known = null;
  /** Another tab says that it signed out; only chooses the words. */
  let signedOutElsewhere = false;
  /** The page is being left, so its requests fail. */
  let leaving = false;

  const left = (limit = 'expires') => (known ? known[limit] - (now() - known.at) : Infinity);
  const covered = () => state === 'ended' || state === 'unreachable';

  // --- Asking the server -------------------------------------------------------------------------------------

  /** Counts the requests: an answer is only taken while none newer was sent. */
  let sent = 0;
  let asking = false;
  let posting = false;
  /** Requests in a row that nobody answered. */
  let failures = 0;
  /** When the server was asked last, and is to be asked next. */
  let asked = -Infinity;
  let askedWall = -Infinity;
  let nextAsk = Infinity;
  /** What the user wants and the server does not yet know: 'stay' or 'leave'; tried until it does. */
  let wish = null;

  /**
   * @param {string} what 'status', or with POST 'keepalive' or 'logout'
   * @returns {Promise<{status: number, data: any, at: number}>} status 0: no answer. `at`: when it was asked
   */
  async function request(what) {
    const options = {
      headers: { Accept: 'application/json' },
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT),
    };
    if (what !== 'status') {
      options.method = 'POST';
      options.headers['Content-Type'] = 'application/json';
      options.body = '{}';
    }
    const at = now(); // counting from here promises no second too many
    try {
      const response = await fetch(dialog.dataset[what], options);
      const text = await response.text();
      return { status: response.status, data: text === '' ? null : JSON.parse(text), at };
    } catch {
      return { status: 0, data: null, at };
    }
  }

  /** @param {boolean} anew do not wait for an answer that is under way: it may be older than the news */
  async function ask(anew = false) {
    if (posting || (asking && !anew)) return;
    asking = true;
    [asked, askedWall] = [now(), Date.now()];
    nextAsk = Infinity;
    const mine = ++sent;
    const answer = await request('status');
    if (mine !== sent) return;
    asking = false;
    take(answer);
    plan();
  }

  /** Asks for a reason that may come often and together with others. */
  function askAgain() {
    if (state === 'quiet' && nextAsk === Infinity) return;
    if (now() - asked > GAP || Math.abs(Date.now() - askedWall) > GAP) ask(true);
  }

  /** Does what the user wants, or leaves it for the next try. */
  async function fulfil() {
    if (posting || !wish) return;
    const done = wish;
    posting = true;
    asking = false;
    sent += 1; // what was asked before this is out of date
    nextAsk = Infinity;
    const answer = await request(done === 'stay' ? 'keepalive' : 'logout');
    posting = false;
    const ok = answer.status >= 200 && answer.status < 300;
    if (ok || answer.status === 401) wish = null;
    if (done === 'leave' && ok) {
      tell('signed-out');
      end('signed-out');
    } else if (done === 'leave' && answer.status === 401) {
      // Nobody was logged out, for the page's token serves no more. That page attaches anew, and asks.
      leaving = true;
      location.assign(dialog.dataset.ask + encodeURIComponent(here()));
    } else {
      take(answer);
      if (done === 'stay' && answer.data?.authenticated) tell('extended');
    }
    plan();
  }

  /** Follows an answer. Only three of them say that a session is over; everything else is no answer. */
  function take({ status, data, at }) {
    // 403: whoever is logged in may not use this site, so to it nobody is.
    const isBarred = status === 403 && data?.code === 'user_not_allowed';
    const isAnswer = status === 401 || isBarred || (status === 200 && typeof data?.authenticated === 'boolean');
    if (!isAnswer) {
      fail(status);
      return;
    }
    failures = 0;
    showError('');
    if (status === 200 && data.authenticated) {
      alive(data, at);
    } else if (state === 'quiet') {
      nextAsk = Infinity;
    } else if (state !== 'ended' || isSuperseded({ status, data })) {
      end(whyEnded(status, data)); // of a page that is hidden already, too: a reload is all that it takes now
    }
  }

  const isSuperseded = ({ status, data }) => status === 401 && data?.code === 'superseded';

  /** The part that says how the login ended. The server knows, but of a session that it has lost. */
  function whyEnded(status, data) {
    if (isSuperseded({ status, data })) return 'superseded';
    const told = { expired: 'expired', 'logged-out': 'signed-out-elsewhere', revoked: 'revoked' }[data?.ended?.reason];
    if (told) return told;
    const passed = Math.max(now() - known.at, Date.now() - known.wall); // one may have stood still
    const expired = !signedOutElsewhere && (status === 401 || passed > known.expires - SLACK);
    return expired ? 'expired' : 'signed-out-elsewhere';
  }

  function alive(data, at) {
    const limit = (value) => (Number.isFinite(value) ? value * SECOND : Infinity);
    let before = state;
    signedOutElsewhere = false;
    if (before !== 'quiet' && data.username !== user) {
      end('changed', data.username);
      if (covered()) return;
      before = state; // the page shows it itself: the popup goes on with the new user
    }
    user = data.username;
    known = {
      at,
      wall: Date.now(),
      expires: limit(data.expires_in),
      absolute: limit(data.absolute_expires_in),
      warn: limit(data.warn_before ?? WARN_BEFORE),
    };
    if (left() <= known.warn) {
      if (covered()) uncover();
      warn();
    } else {
      state = 'watching';
      wish = null;
      hide();
    }
    const better = before === 'ended' || (state === 'watching' && !['quiet', 'watching'].includes(before));
    if (better) emit('sso-session-extended', { expires_in: data.expires_in });
  }

  /** No answer, or none that says anything: goes on counting, and covers the page when time is up. */
  function fail(status) {
    if (leaving || state === 'ended') return;
    failures += 1;
    if (state === 'quiet') {
      // Whether somebody is logged in is not known yet. Where this is not served at all, never ask again.
      nextAsk = status === 0 || status >= 500 ? now() + RECHECK : Infinity;
      return;
    }
    if (left() <= 0) {
      if (state !== 'unreachable') failures = 1; // now it matters more
      state = 'unreachable';
      cover('unreachable');
    } else if (left() <= known.warn) {
      warn();
      if (wish) showError(dialog.dataset.failed);
    }
  }

  // --- When to look again ------------------------------------------------------------------------------------

  let timer;
  let due = Infinity;
  let mono = now();
  let wall = Date.now();

  /** Sets the one timer: for the next question, the next second to show, or a look at the clocks. */
  function plan() {
    clearTimeout(timer);
    if (state === 'ended') nextAsk = Infinity;
    if (nextAsk === Infinity && !asking && !posting && !['quiet', 'ended'].includes(state)) nextAsk = now() + pause();
    let wait = nextAsk - now();
    if (state === 'warned' || state === 'closed') {
      wait = Math.min(wait, left() > 0 ? (left() % SECOND) + 10 : SECOND);
    } else if (visible() && state === 'watching') {
      wait = Math.min(wait, HEARTBEAT);
    }
    if (wait === Infinity) return;
    wait = clamp(wait, [50, RECHECK]);
    due = now() + wait;
    timer = setTimeout(tick, wait);
  }

  /** How long to wait before the server is asked again. */
  function pause() {
    const { warn } = known;
    const event = left() > warn ? left() - warn : left(); // until the warning, or the end
    const usual = left() > warn ? RECHECK : clamp(warn / 12, POLL);
    const wait = failures ? Math.min(usual, clamp(BACKOFF[0] * 2 ** (failures - 1), BACKOFF)) : usual;
    if (state === 'unreachable') return clamp(BACKOFF[0] * 2 ** (failures - 1), BACKOFF);
    return Math.max(Math.min(wait, event), SECOND);
  }

  function tick() {
    const jumped = slept();
    if (state === 'warned' || state === 'closed') warn();
    if (jumped) {
      askAgain();
    } else if (now() >= nextAsk) {
      if (wish) fulfil();
      else ask();
    }
    plan();
  }

  /**
   * Has the machine slept since the last look? Either clock may stand still then, and the one of the wall may be set
   * at any time. So they are never trusted, only a difference makes us ask.
   */
  function slept() {
    const [monoNow, wallNow] = [now(), Date.now()];
    const apart = Math.abs(wallNow - wall - (monoNow - mono));
    const late = visible() ? monoNow - due : 0; // the timers of hidden pages are slowed down; they ask when seen
    [mono, wall] = [monoNow, wallNow];
    return apart > APART || late > LATE;
  }

  // --- What is shown -----------------------------------------------------------------------------------------

  let shown = null;
  /** What the countdown was when it was last read out, in seconds. */
  let lastSpoken = Infinity;
  /** The warning was closed in its last half minute: it does not come back. */
  let closedForGood = false;

  /** Shows the warning, or the next second of it. */
  function warn() {
    const part = left('absolute') <= known.warn ? 'last' : 'warned';
    const seconds = Math.max(0, Math.ceil(left() / SECOND));
    const isNew = state !== 'warned' && state !== 'closed';
    if (isNew) closedForGood = false;
    if (part === 'warned' || isNew || (state === 'closed' && left() <= COMES_BACK && !closedForGood)) state = 'warned';

    for (const time of dialog.querySelectorAll('[data-time]')) time.textContent = clock(seconds);
    const words = parts.find((each) => each.dataset.part === part);
    setTitle(words.dataset.title, seconds > 10 ? seconds - (seconds % 10) : seconds); // no reader likes one a second
    if (state === 'closed') return;
    // Before it opens this is part of what the dialog is described by; later it is read out by itself.
    const opens = !dialog.open || isNew;
    const step = Math.min(...SPOKEN_AT.filter((at) => seconds <= at), Infinity);
    if (opens || step < lastSpoken) {
      speak(seconds);
      lastSpoken = opens ? Math.min(step, seconds) : step;
    }
    show(part);
  }

  /** Leaves no trace of the popup. */
  function hide() {
    uncover();
    closeDialog();
    setTitle(null);
    spoken.textContent = '';
    showError('');
  }

  /** Opens the dialog with one of its parts. */
  function show(name) {
    if (shown === name && dialog.open) return;
    const part = parts.find((each) => each.dataset.part === name);
    for (const each of parts) each.hidden = each !== part;
    dialog.setAttribute('aria-labelledby', part.querySelector('h2').id);
    dialog.setAttribute('aria-describedby', `${part.querySelector('h2 + p').id} ${spoken.id}`);
    shown = name;
    if (covered()) closeDialog(); // opened anew it is on top of whatever the page opened, and is read out
    if (!dialog.isConnected || dialog.parentElement !== document.body) document.body.append(dialog);
    if (!dialog.open) dialog.showModal();
    part.querySelector('[data-focus]').focus();
  }

  function closeDialog() {
    if (dialog.open) dialog.close();
  }

  /** The parts of the page that are hidden, with what they were before. */
  let hidden = [];

  /** Hides the page behind the dialog: from eyes, keyboard, readers, search and print. */
  function cover(part) {
    spoken.textContent = '';
    lastSpoken = Infinity;
    for (const link of dialog.querySelectorAll('[data-again]')) link.href = dialog.dataset.login + encodeURIComponent(here());
    show(part); // first, so that the dialog remembers where the focus was
    setTitle(parts.find((each) => each.dataset.part === part).dataset.title);
    if (root.dataset.sessionPopup === 'cover') return;
    root.dataset.sessionPopup = 'cover'; // the style sheet hides by this too, also what comes later
    hidden = [...document.body.children].filter((child) => child !== dialog)
      .map((child) => ({ child, inert: child.inert, hidden: child.hidden }));
    for (const { child } of hidden) Object.assign(child, { inert: true, hidden: true });
  }

  function uncover() {
    delete root.dataset.sessionPopup;
    for (const { child, ...before } of hidden) Object.assign(child, before);
    hidden = [];
  }

  /** The session is over, in the words of this part. The page may want to show that itself. */
  function end(reason, newUser) {
    const first = state !== 'ended';
    state = 'ended';
    wish = null;
    if (first && !emit('sso-session-expired', { reason })) {
      state = newUser === undefined ? 'quiet' : 'watching';
      user = newUser;
      known = null;
      hide();
      return;
    }
    cover(reason);
  }

  /** @returns {boolean} whether nobody prevented what usually follows */
  function emit(name, detail) {
    return document.dispatchEvent(new CustomEvent(name, { detail, cancelable: name === 'sso-session-expired' }));
  }

  /** This page, for the way back: never another host, and nothing that is only for whoever was sent here. */
  function here() {
    const path = location.pathname.replace(/^\/+/, '/');
    const all = [...new URLSearchParams(location.search)];
    const kept = all.filter(([name]) => !SECRET.test(name));
    const search = kept.length === all.length ? location.search : `?${new URLSearchParams(kept)}`;
    const hash = location.hash.includes('=') ? '' : location.hash; // #access_token=…
    return path + (search === '?' ? '' : search) + hash;
  }

  let pageTitle = document.title;
  let ownTitle = null;

  /** @param {string | null} words null: the page's own title again, unless the page has changed it since */
  function setTitle(words, seconds = 0) {
    if (document.title !== ownTitle) pageTitle = document.title;
    if (words === null) {
      if (ownTitle !== null) document.title = pageTitle;
      ownTitle = null;
      return;
    }
    const title = fill(words, { time: clock(seconds), title: pageTitle });
    if (document.title !== title) document.title = title;
    ownTitle = document.title;
  }

  const fill = (words, values) => words.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);

  /** 90 → 1:30 */
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;

  /** 90 → 1 minute, 30 seconds; in the page's language */
  function speak(seconds) {
    const unit = (value, name) => new Intl.NumberFormat(lang, { style: 'unit', unit: name, unitDisplay: 'long' }).format(value);
    const words = [[Math.floor(seconds / 60), 'minute'], [seconds % 60, 'second']].filter(([value]) => value > 0);
    const time = new Intl.ListFormat(lang, { type: 'unit' }).format(words.map(([value, name]) => unit(value, name)));
    spoken.textContent = fill(dialog.dataset.left, { time: time || unit(0, 'second') });
  }

  const lang = (() => {
    try {
      return Intl.getCanonicalLocales(root.lang)[0];
    } catch {
      return undefined; // a language that nobody knows: the browser's own
    }
  })();

  function showError(text) {
    for (const error of dialog.querySelectorAll('[data-error]')) if (error.textContent !== text) error.textContent = text;
  }

  // --- Other tabs of this site: what they say only makes us ask ----------------------------------------------

  let channel = null;
  try {
    channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }) => hear(data?.type);
  } catch {
    window.addEventListener('storage', ({ key, newValue }) => {
      if (key === CHANNEL && newValue) hear(newValue.split(' ')[0]);
    });
  }

  /** @param {string} type 'extended', 'signed-out', 'nobody' (is logged in), 'changed' (any of these) */
  function tell(type) {
    try {
      if (channel) {
        channel.postMessage({ type });
      } else {
        localStorage.setItem(CHANNEL, `${type} ${Math.random()}`); // an event only comes with a new value
        localStorage.removeItem(CHANNEL);
      }
    } catch {
      // Without it the other tabs find out by asking, somewhat later.
    }
  }

  function hear(type) {
    const quiet = state === 'quiet';
    if (type === 'signed-out' && !quiet) signedOutElsewhere = true;
    const matters = {
      changed: true,
      extended: state !== 'watching', // who is far from the warning need not know yet
      'signed-out': !quiet,
      nobody: !quiet,
    };
    if (matters[type] === true) ask(true);
  }

  // --- Events ------------------------------------------------------------------------------------------------

  function act(what) {
    if (what === 'stay' || what === 'leave') {
      wish = what;
      fulfil();
    } else if (what === 'close') {
      closeLast();
    } else if (what === 'retry') {
      if (wish) fulfil();
      else ask(true);
    } else if (what === 'reload') {
      leaving = true;
      location.reload();
    }
  }

  /** Closes a warning that cannot be put off. Whoever does it is there: until the end, that still counts. */
  function closeLast() {
    closedForGood = left('absolute') <= COMES_BACK;
    state = 'closed';
    closeDialog();
    if (left() < left('absolute')) act('stay');
  }

  dialog.addEventListener('click', (event) => {
    const button = event.target.closest('[data-do]');
    if (button) act(button.dataset.do);
  });

  /** Escape, or a phone's Back. */
  dialog.addEventListener('cancel', (event) => {
    event.preventDefault();
    escape();
  });

  /** A browser may close a dialog without asking when it is told to twice. */
  dialog.addEventListener('close', () => {
    if (dialog.open || !(state === 'warned' || covered())) return;
    show(shown);
    if (state === 'warned') escape();
  });

  function escape() {
    if (state !== 'warned') return;
    act(shown === 'last' ? 'close' : 'stay');
  }

  document.addEventListener('visibilitychange', () => {
    if (visible()) askAgain();
    plan();
  });
  window.addEventListener('focus', askAgain);
  window.addEventListener('online', askAgain);
  window.addEventListener('pagehide', () => {
    leaving = true;
  });
  window.addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    leaving = false; // back by the Back button: as good as loaded
    ask(true);
  });

  (async () => {
    await ask();
    if (failures === 0) tell(state === 'quiet' ? 'nobody' : 'extended');
  })();
})();
