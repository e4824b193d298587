//! A visit that replaces the session's cookie says so in its answer, whatever the answer is: the old value is dead.

use actix_web::http::StatusCode;

use crate::{
    common::{Attached, Browser, World, credentials},
    http::{Answer, HTML, pair, session_cookie},
};

/// The back end of a broker logs in: at its next visit the browser gets another cookie.
async fn log_in_through_broker(world: &World, link: &Attached, username: &str) {
    let call = world.broker_call(link).await.unwrap();
    world.server.broker_log_in(&call, &credentials(username)).await.unwrap();
}

async fn account(world: &World, session: &str) -> Answer {
    world.get("/account", &[HTML, ("Cookie", session)]).await
}

#[actix_web::test]
async fn an_error_page_carries_the_new_cookie() {
    let world = World::new();
    let mut browser = Browser::default();
    let php = world.attach(&mut browser, "Php").await;
    world.log_in(&mut browser, "jackie").await;
    // Another session, which could be ended.
    world.log_in(&mut Browser::default(), "jackie").await;
    let mut session = session_cookie(&browser.cookie.unwrap());
    let open = account(&world, &session).await;
    let (form, token) = (open.cookie("__Host-sso_form").unwrap(), pair("form_token", &open.form_token()));

    for (path, body, failing, status) in [
        ("/account", "form_token=forged", None, StatusCode::FORBIDDEN),
        ("/account", &token, None, StatusCode::BAD_REQUEST),
        ("/account", &format!("{token}&action=end_others"), Some("families_of"), StatusCode::SERVICE_UNAVAILABLE),
        ("/account", &format!("{token}&action=end_others"), None, StatusCode::SEE_OTHER),
        ("/account/password", "form_token=forged", None, StatusCode::FORBIDDEN),
        ("/account/password", "form_token=forged", Some("of_user"), StatusCode::SERVICE_UNAVAILABLE),
        ("/confirm", "form_token=forged", None, StatusCode::FORBIDDEN),
    ] {
        log_in_through_broker(&world, &php, "jackie").await;
        if let Some(call) = failing {
            world.store.fail_only(call);
        }
        let answer = world.post(path, &[HTML, ("Cookie", &format!("{session}; {form}"))], body).await;
        world.store.work_again();
        assert_eq!(answer.status, status, "{path} {body}");
        let renewed = answer.cookie("__Host-sso_session").expect("the old one is dead");
        assert_eq!(account(&world, &session).await.status, StatusCode::SEE_OTHER);
        session = renewed;
        assert_eq!(account(&world, &session).await.status, StatusCode::OK, "{path} {body}");
    }
}
