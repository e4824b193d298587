//! `/attach`: in by redirect, JSON or JSONP, and out again in the same way.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    cookie::Cookie,
    http::{StatusCode, header},
    web,
};
use serde::Serialize;
use sso_core::{
    AttachError, AttachRequest, BrokerId, BrowserHeaders, Mode, VerificationCode,
    attach::{Callback, callback_in, param_in},
    wire::{AttachFailure, Verify},
};

use super::{
    FormTokens, Site,
    answer::{again, error_page, failed_page, status_of},
    get_or_head,
    login::{LoginFields, LoginForm},
    request::{accepts_html, header_text},
};
use crate::{
    error::Error,
    operations::attach::{AttachOutcome, CheckedAttach, RefusedAttach},
    server::browser::Browser,
};

pub(super) fn routes(app: &mut web::ServiceConfig, php: bool) {
    for path in ["/attach", "/attach.php"].into_iter().take(1 + usize::from(php)) {
        app.service(
            web::resource(path)
                .route(get_or_head().to(attach))
                .route(web::post().to(log_in))
                .route(web::method(actix_web::http::Method::OPTIONS).to(preflight)),
        );
    }
}

async fn attach(request: HttpRequest, site: web::Data<Site>, form: FormTokens) -> HttpResponse {
    let headers = BrowserHeaders {
        origin: header_text(&request, header::ORIGIN),
        referer: header_text(&request, header::REFERER),
        fetch_dest: header_text(&request, header::HeaderName::from_static("sec-fetch-dest")),
    };
    let checked = match check(&request, &site, headers).await {
        Ok(checked) => checked,
        Err(refused) => return refused,
    };
    if checked.request.mode.is_silent()
        && let Some(error) = site.0.cookies.ambiguous(&request)
    {
        return refuse(&request, &site, refused(&checked, AttachError::from(error).into())).await;
    }
    let answer = site.server().attach(&checked, site.returning_browser(&request)).await;
    let cookies = site.cookies(answer.set_cookie.as_ref(), &answer.remember);
    let response = match answer.outcome {
        Ok(AttachOutcome::Linked(code)) => attached(&request, &site, &checked, &code).await,
        Ok(AttachOutcome::LoginNeeded(session)) => {
            login_form(&site, &form, &request, &checked).session(session.as_deref()).show(StatusCode::OK)
        }
        Err(error) => refuse(&request, &site, refused(&checked, error)).await,
    };
    with_cookies(response, cookies)
}

/// The login form on the way: posted to the same URL, so everything is checked again and nothing had to be kept.
async fn log_in(
    request: HttpRequest,
    site: web::Data<Site>,
    form: FormTokens,
    fields: Option<web::Form<LoginFields>>,
) -> HttpResponse {
    // This POST comes from our own page, which the form token proves, and not from the broker's.
    let mut checked = match check(&request, &site, BrowserHeaders::default()).await {
        Ok(checked) if checked.request.prompt_login => checked,
        Ok(_) => return error_page(&site, StatusCode::METHOD_NOT_ALLOWED, "Attach is a GET request"),
        Err(refused) => return refused,
    };
    let visit = match login_form(&site, &form, &request, &checked).submit(fields).await {
        Ok(visit) => visit,
        Err(shown_again) => return shown_again,
    };
    // That was just now, also where 0 s would be too long ago.
    checked.request.max_age = None;
    // Somebody is logged in now: what remembers the browser is not needed.
    let browser = Browser { cookie: visit.set_cookie.clone(), remember: None, ..site.browser(&request) };
    let answer = site.server().attach(&checked, browser).await;
    let response = match answer.outcome {
        Ok(AttachOutcome::Linked(code)) => attached(&request, &site, &checked, &code).await,
        // The session was ended in the instant since the login.
        Ok(AttachOutcome::LoginNeeded(_)) => login_form(&site, &form, &request, &checked).show(StatusCode::CONFLICT),
        Err(error) => refuse(&request, &site, refused(&checked, error)).await,
    };
    // Also when the attach failed: the login did not, and the cookie from before it is dead.
    let set_cookie = answer.set_cookie.or(visit.set_cookie);
    with_cookies(response, site.cookies(set_cookie.as_ref(), &visit.remember))
}

/// Whether a page may ask for the JSON of a silent attach at all.
async fn preflight(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    if allow_cors(&mut response, &request, &site).await {
        response
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET"))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "accept"))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"));
    }
    response.finish()
}

async fn check(request: &HttpRequest, site: &Site, headers: BrowserHeaders<'_>) -> Result<CheckedAttach, HttpResponse> {
    let result = match AttachRequest::parse(request.query_string(), accepts_html(request)) {
        Ok(attach) => site.server().check_attach(attach, headers).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(checked) => Ok(checked),
        Err(refused) => Err(refuse(request, site, refused).await),
    }
}

fn refused(checked: &CheckedAttach, error: Error) -> RefusedAttach {
    RefusedAttach { error, return_url: checked.return_url.clone() }
}

fn login_form<'a>(
    site: &'a Site,
    form: &'a FormTokens,
    request: &'a HttpRequest,
    checked: &'a CheckedAttach,
) -> LoginForm<'a> {
    let origin = checked.return_url.as_ref().map(|url| url.origin());
    LoginForm::new(site, form, request).for_broker(&checked.broker.id, origin)
}

async fn attached(
    request: &HttpRequest,
    site: &Site,
    checked: &CheckedAttach,
    code: &VerificationCode,
) -> HttpResponse {
    let verify = Verify { verify: code.as_str().to_owned() };
    let mut response = HttpResponse::Ok();
    match (&checked.return_url, &checked.request.mode) {
        (Some(url), _) => redirect(&url.with_code(code)),
        (None, Mode::Jsonp(callback)) => jsonp(callback, &verify, 200),
        (None, _) => {
            allow_cors(&mut response, request, site).await;
            silent_headers(&mut response).json(&verify)
        }
    }
}

fn with_cookies(mut response: HttpResponse, cookies: Vec<Cookie<'static>>) -> HttpResponse {
    for cookie in cookies {
        if let Err(error) = response.add_cookie(&cookie) {
            tracing::error!(%error, "a cookie cannot be set");
        }
    }
    response
}

/// An error goes back the way the answer would have gone; to a page of ours only where there is no way back.
async fn refuse(request: &HttpRequest, site: &Site, refused: RefusedAttach) -> HttpResponse {
    let RefusedAttach { error, return_url } = refused;
    tracing::info!(%error, "attach refused");
    let (status, message) = (status_of(&error), error.to_string());
    if let Some(url) = return_url {
        return redirect(&url.with_error(&message));
    }
    let callback = callback_in(request.query_string());
    if callback.is_none() && accepts_html(request) {
        return failed_page(site, &error);
    }
    let attach = if let Error::Attach(error) = &error { error.helps() } else { None };
    let failure = AttachFailure { code: status.as_u16(), message, attach };
    if let Some(callback) = callback {
        return jsonp(&callback, &failure, failure.code);
    }
    let mut response = HttpResponse::build(status);
    allow_cors(&mut response, request, site).await;
    again(&error, silent_headers(&mut response).json(failure))
}

/// To a checked return URL. The code is in it: no cache may keep it and no `Referer` may carry it on.
fn redirect(url: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, url))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// A script that calls the function. Always status 200: a browser does not run another. The comment keeps the
/// answer from being read as something else by its first bytes.
fn jsonp(callback: &Callback, value: &impl Serialize, status: u16) -> HttpResponse {
    let json = serde_json::to_string(value).unwrap_or_else(|_| "null".into());
    // Line ends in JavaScript, though not in JSON.
    let json = json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let script = format!("/**/{}({json}, {status});", callback.as_str());
    silent_headers(&mut HttpResponse::Ok()).content_type("application/javascript").body(script)
}

/// Pages of brokers load these answers; who may is decided by `Origin` and `Referer`.
fn silent_headers(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"))
}

/// Lets the asking page read the answer, if it is a page of the broker it names. Never `*`: that cannot carry a cookie.
async fn allow_cors(response: &mut HttpResponseBuilder, request: &HttpRequest, site: &Site) -> bool {
    response.append_header((header::VARY, "Origin"));
    let broker: Option<BrokerId> = param_in(request.query_string(), "broker").and_then(|id| id.parse().ok());
    let (Some(broker), Some(origin)) = (broker, header_text(request, header::ORIGIN)) else { return false };
    let allowed = site.server().allows_cors(&broker, origin).await;
    if allowed {
        response
            .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin))
            .insert_header((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"));
    }
    allowed
}
