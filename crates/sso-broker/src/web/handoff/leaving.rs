//! Where a user goes away: `GET /external?url=…`, its pages, and the form that carries the token.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
};
use url::form_urlencoded::{self, byte_serialize};

use super::{SCRIPT_PATH, header_text, page};
use crate::{
    handoff::{Handoff, HandoffError, Issuer, Way},
    time::numeric_date,
};

/// The pages on the way out. No inline script or style: the CSP forbids it.
pub trait LeavingPages: Send + Sync + 'static {
    /// On the way out: a form with `id="handoff"`, a POST of the hidden field `token` to `action`, and the script `script`, which sends it.
    fn leaving(&self, page: &LeavingPage<'_>) -> String;
    /// Before going out, where another site's page asked for that: a link to `href`, and where it leads.
    fn may_leave(&self, target: &str, href: &str) -> String;
    /// The address is not on the list, or the way is closed.
    fn cannot_leave(&self, problem: &str) -> String;
}

/// See [`LeavingPages::leaving`].
#[derive(Clone, Copy, Debug)]
pub struct LeavingPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The hidden field `token`.
    pub token: &'a str,
    /// The origin that it leads to.
    pub target: &'a str,
    /// Who is logged in here, and will be there.
    pub user: &'a str,
    /// The script that sends the form.
    pub script: &'a str,
}

/// Says that it was another site's page that led to the login which comes back: the question is not answered by that.
const ASK: &str = "ask";

/// Answers `GET /external?url=…`. Who is not logged in goes to the login first, and comes back to this link: `login` is its path up to where
/// the way back is put, such as `/login?to=`.
///
/// It acts by itself only for a link on a page of this very site. Any other page could send a visitor on a way that they did not choose, so
/// from there a page with a link comes first, also where a login lies between.
///
/// ```
/// # use actix_session::Session;
/// # use actix_web::{HttpRequest, HttpResponse, web::Data};
/// # use sso_broker::{handoff::{Issuer, NotAnOrigin, Target}, web::handoff::{self, LeavingPage, LeavingPages}};
/// # struct MyPages;
/// # impl LeavingPages for MyPages {
/// #     fn leaving(&self, page: &LeavingPage<'_>) -> String { String::new() }
/// #     fn may_leave(&self, target: &str, href: &str) -> String { String::new() }
/// #     fn cannot_leave(&self, problem: &str) -> String { String::new() }
/// # }
/// # fn issuer(keys: sso_core::jwt::SharedKeys) -> Result<Issuer, NotAnOrigin> {
/// let issuer = Issuer::new("https://shop.example.com")?.target(Target::new("https://forum.example.com", keys)?);
/// # Ok(issuer) }
/// // GET /external?url=https://forum.example.com/a/page
/// async fn external(request: HttpRequest, session: Session, issuer: Data<Issuer>) -> HttpResponse {
///     handoff::leave(&request, &issuer, &MyPages, handoff::user_of(&session).as_deref(), "/login?to=")
/// }
/// ```
pub fn leave(
    request: &HttpRequest,
    issuer: &Issuer,
    pages: &dyn LeavingPages,
    user: Option<&str>,
    login: &str,
) -> HttpResponse {
    let query = || form_urlencoded::parse(request.query_string().as_bytes());
    let url = query().find(|(name, _)| name == "url").map(|(_, url)| url).unwrap_or_default();
    let link: String = byte_serialize(url.as_bytes()).collect();
    let link = format!("{}?url={link}", request.path());
    let acts = request.method() != Method::HEAD
        && is_from_own_page(request, &issuer.origin())
        && !query().any(|(name, _)| name == ASK);
    let Some(username) = user else {
        // The login's own page leads back here.
        let back = if acts { link } else { format!("{link}&{ASK}=") };
        let back: String = byte_serialize(back.as_bytes()).collect();
        return page(StatusCode::SEE_OTHER, "", "same-origin")
            .insert_header((header::LOCATION, format!("{login}{back}")))
            .finish();
    };
    if !issuer.allows(&url) {
        return page(StatusCode::BAD_REQUEST, "", "same-origin")
            .body(pages.cannot_leave(&HandoffError::ForeignTarget.to_string()));
    }
    if !acts {
        return page(StatusCode::OK, "", "same-origin").body(pages.may_leave(&url, &link));
    }
    match issuer.hand_off(username, &url, numeric_date()) {
        Ok(handoff) => send(&handoff, username, pages),
        Err(error) => {
            page(StatusCode::SERVICE_UNAVAILABLE, "", "same-origin").body(pages.cannot_leave(&error.to_string()))
        }
    }
}

fn send(handoff: &Handoff, user: &str, pages: &dyn LeavingPages) -> HttpResponse {
    let location = handoff.location();
    if handoff.way == Way::Redirect {
        return page(StatusCode::SEE_OTHER, "", "strict-origin").insert_header((header::LOCATION, location)).finish();
    }
    let (token, target) = (&handoff.token, &handoff.target);
    let shown = LeavingPage { action: &location, token, target, user, script: SCRIPT_PATH };
    // The receiver wants to see our `Origin`: under `no-referrer` it would be `null`.
    page(StatusCode::OK, &handoff.target, "strict-origin").body(pages.leaving(&shown))
}

/// Whether a page of this site led here.
fn is_from_own_page(request: &HttpRequest, origin: &str) -> bool {
    match header_text(request, "Sec-Fetch-Site") {
        Some(site) => site == "same-origin",
        // Browsers from before 2023: our pages let them say where they are.
        None => header_text(request, "Referer")
            .and_then(|referer| referer.parse::<url::Url>().ok())
            .is_some_and(|referer| referer.origin().ascii_serialization() == origin),
    }
}
