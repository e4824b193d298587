//! Where a user goes away: `GET /external?url=…`, its pages, and the form that carries the token.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
};
use url::form_urlencoded;

use super::{SCRIPT_PATH, now, page};
use crate::{Handoff, HandoffError, Issuer, Leaver, LeavingPage, LeavingPages, LinkKey, MayLeavePage, Way};

/// The way out of an application: the links on its pages, and what answers them.
///
/// A link acts by itself only with the proof that a page of this application wrote into it, for the login that follows
/// it. Whatever else leads to `/external` (a page of another site, an address that was typed, a login that comes back
/// to it) gets a page with a button first: it could send visitors on a way that they did not choose.
///
/// ```
/// # use actix_session::Session;
/// # use actix_web::{HttpRequest, HttpResponse, web::Data};
/// # use sso_handoff::{Issuer, Leaver, LeavingPage, LeavingPages, MayLeavePage, NotAnOrigin, Target, jwt::SharedKeys};
/// # use sso_handoff::actix::{self as handoff, Leaving};
/// # struct MyPages;
/// # impl LeavingPages for MyPages {
/// #     fn leaving(&self, page: &LeavingPage<'_>) -> String { String::new() }
/// #     fn may_leave(&self, page: &MayLeavePage<'_>) -> String { String::new() }
/// #     fn cannot_leave(&self, problem: &str) -> String { String::new() }
/// # }
/// # fn leaving(keys: SharedKeys, session_key: &[u8]) -> Result<Leaving, NotAnOrigin> {
/// let issuer = Issuer::new("https://shop.example.com")?.target(Target::new("https://forum.example.com", keys)?);
/// let leaving = Leaving::new(issuer, MyPages, session_key);
/// # Ok(leaving) }
/// // On a page: the address of the link to another application's page.
/// fn link(leaving: &Leaving, session: &Session) -> String {
///     leaving.link("https://forum.example.com/a/page", handoff::login_of(session).as_ref().map(Leaver::from))
/// }
/// // GET /external
/// async fn external(request: HttpRequest, session: Session, leaving: Data<Leaving>) -> HttpResponse {
///     leaving.answer(&request, handoff::login_of(&session).as_ref().map(Leaver::from), "/login?to=")
/// }
/// ```
#[derive(Clone)]
pub struct Leaving(Arc<Parts>);

struct Parts {
    issuer: Issuer,
    pages: Box<dyn LeavingPages>,
    links: LinkKey,
}

impl Leaving {
    /// The path of the links, where [`answer`](Self::answer) belongs.
    pub const PATH: &str = "/external";

    /// `secret`: the application's own, such as the key of its sessions.
    pub fn new(issuer: Issuer, pages: impl LeavingPages, secret: &[u8]) -> Self {
        let links = LinkKey::new(secret, &issuer.origin());
        Self(Arc::new(Parts { issuer, pages: Box::new(pages), links }))
    }

    /// Which applications it leads to.
    pub fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    /// The address of a link to a page of another application, to be written into a page for who is logged in. Write no
    /// address that a request brought: its sender would have chosen where the visitor goes.
    pub fn link(&self, url: &str, leaver: Option<Leaver<'_>>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("url", url);
        if let Some(leaver) = leaver {
            query.append_pair("proof", &self.0.links.proof(leaver, url));
        }
        format!("{}?{}", Self::PATH, query.finish())
    }

    /// Answers `GET /external?url=…`. Who is not logged in goes to the login first, and comes back to this link,
    /// without a proof: `login` is its path up to where the way back is put, such as `/login?to=`.
    pub fn answer(&self, request: &HttpRequest, leaver: Option<Leaver<'_>>, login: &str) -> HttpResponse {
        let Parts { issuer, pages, links } = &*self.0;
        let parameter = |wanted: &str| {
            let mut query = form_urlencoded::parse(request.query_string().as_bytes());
            query.find(|(name, _)| name == wanted).map(|(_, value)| value).unwrap_or_default()
        };
        let url = parameter("url");
        let Some(leaver) = leaver else {
            let back: String = form_urlencoded::byte_serialize(self.link(&url, None).as_bytes()).collect();
            return page(StatusCode::SEE_OTHER, "", "same-origin")
                .insert_header((header::LOCATION, format!("{login}{back}")))
                .finish();
        };
        let Some(target) = issuer.target_of(&url) else {
            return page(StatusCode::BAD_REQUEST, "", "same-origin")
                .body(pages.cannot_leave(&HandoffError::ForeignTarget.to_string()));
        };
        // HEAD is nobody who goes anywhere.
        if request.method() == Method::HEAD || !links.proves(leaver, &url, &parameter("proof")) {
            let proof = links.proof(leaver, &url);
            let shown = MayLeavePage { action: Self::PATH, url: &url, proof: &proof, user: leaver.username };
            // The form's answer may be a redirect to there.
            return page(StatusCode::OK, &target, "same-origin").body(pages.may_leave(&shown));
        }
        match issuer.hand_off(leaver.username, &url, now()) {
            Ok(handoff) => send(&handoff, leaver.username, pages.as_ref()),
            Err(error) => {
                page(StatusCode::SERVICE_UNAVAILABLE, "", "same-origin").body(pages.cannot_leave(&error.to_string()))
            }
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
