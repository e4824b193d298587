//! The server's account page in the look of its site.

use sso_server::{
    OwnSession, RememberedBrowser,
    clock::Timestamp,
    humanize,
    password_policy::MIN_CHARS,
    web::{AccountNotice, AccountPage, ConfirmPage},
};
use sso_site::{SiteFrame, html, theme_of};

use crate::{
    output,
    pages::{Begun, BrowserRow, PasswordForm, ServerAccount, ServerConfirm, SessionRow, When},
};

pub(super) fn account(frame: &SiteFrame, page: &AccountPage<'_>) -> String {
    let account = page.account;
    let sessions: Vec<_> = account.sessions.iter().map(|own| session_row(own, account.now)).collect();
    let browsers: Vec<_> = account.browsers.iter().map(|known| browser_row(known, account.now)).collect();
    let news: Vec<_> = [page.news.map(AccountNotice::text), page.notice()].into_iter().flatten().collect();
    html(&ServerAccount {
        layout: frame.layout(theme_of(Some(page.session))),
        username: &account.user.username,
        news: &news,
        has_others: account.has_others(),
        sessions: &sessions,
        browsers: &browsers,
        is_confirmed: account.is_confirmed,
        account_token: page.form_token,
        password: page.password.map(|form| PasswordForm {
            form_token: form.form_token,
            error: form.error,
            wrong: form.wrong,
            min_chars: MIN_CHARS,
        }),
        logout_token: page.logout_token,
    })
}

pub(super) fn confirm(frame: &SiteFrame, page: &ConfirmPage<'_>) -> String {
    html(&ServerConfirm {
        layout: frame.layout(theme_of(page.session)),
        action: page.action,
        form_token: page.form_token,
        username: page.username,
        error: page.error,
        logout_token: page.logout_token,
    })
}

fn when(instant: Timestamp, now: Timestamp) -> When {
    let datetime = output::time(instant.as_secs());
    let exact = datetime.replace('T', " ").replace('Z', " UTC");
    When { datetime, exact, ago: humanize::ago(now.since(instant)) }
}

fn session_row(own: &OwnSession, now: Timestamp) -> SessionRow<'_> {
    let sites: Vec<_> = own.brokers.iter().map(|id| id.as_str()).collect();
    SessionRow {
        handle: &own.handle,
        browser: humanize::browser(own.browser.as_deref().unwrap_or("A browser without a name")),
        since: when(own.since, now),
        last_seen: when(own.last_seen, now),
        begun: match own.password_at {
            None => Begun::Remembered,
            Some(typed) if typed == own.since => Begun::Password,
            Some(typed) => Begun::Confirmed(when(typed, now)),
        },
        sites: sites.join(", "),
        is_this: own.is_this,
    }
}

fn browser_row(known: &RememberedBrowser, now: Timestamp) -> BrowserRow<'_> {
    BrowserRow {
        handle: &known.handle,
        browser: humanize::browser(&known.browser),
        since: when(known.created, now),
        last_used: when(known.last_used, now),
        left: humanize::length(known.expires.since(now)),
        is_this: known.is_this,
    }
}
