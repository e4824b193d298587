//! What a broker is answered of a user who may not use it: 403 in JSON, and nothing of the user.

use actix_web::http::{Method, StatusCode};
use serde_json::json;

use crate::{
    common::{Attached, Browser, PASSWORD, World, directory::Directory},
    http::{Answer, pair, send},
};

/// Club lets jackie in, and not john.
async fn logged_in(username: &str, broker: &'static str) -> (World, Attached, Attached) {
    let directory = Directory::new();
    let mut john = directory.remove("john");
    john.groups.clear();
    directory.put(john);
    let world = World::with_users(directory);
    let mut browser = Browser::default();
    world.log_in(&mut browser, username).await;
    let club = world.attach(&mut browser, broker).await;
    let alice = world.attach(&mut browser, "Alice").await;
    (world, club, alice)
}

async fn call(world: &World, link: &Attached, method: &str, call: &str, body: &str) -> Answer {
    let bearer = link.authorization();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let site = world.site().php_routes(true);
    let method: Method = method.parse().unwrap();
    send(site, method, &format!("/api/{call}"), &[form, ("Authorization", bearer.as_str())], body).await
}

const CALLS: [(&str, &str, &str); 6] = [
    ("GET", "info", ""),
    ("GET", "data", ""),
    ("POST", "data", "theme=forest"),
    ("GET", "session", ""),
    ("POST", "session/keepalive", ""),
    ("POST", "token", ""),
];

#[actix_web::test]
async fn every_call_but_the_logout_is_forbidden_and_says_nothing_of_the_user() {
    let (world, club, alice) = logged_in("john", "Club").await;
    for (method, name, body) in CALLS {
        let answer = call(&world, &club, method, name, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        assert_eq!(answer.json(), json!({ "error": "This user may not use this site", "code": "user_not_allowed" }));
        assert_eq!(answer.header("Cache-Control"), "no-store");
        assert!(!answer.headers.contains_key("WWW-Authenticate") && answer.sets_no_cookie(), "{name}");
    }
    assert_eq!(call(&world, &alice, "GET", "data", "").await.json(), json!({}), "nothing was written");
    assert_eq!(call(&world, &club, "POST", "logout", "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(&world, &alice, "GET", "info", "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(&world, &club, "GET", "info", "").await.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn who_may_enter_is_served_and_shown_as_far_as_the_broker_is_told() {
    let (world, club, alice) = logged_in("jackie", "Club").await;
    for (method, name, body) in CALLS {
        let answer = call(&world, &club, method, name, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.body);
        assert!(!answer.body.contains("j@example"), "{name}: {}", answer.body);
    }
    let told = json!({ "username": "jackie", "fullname": "Jackie" });
    assert_eq!(call(&world, &club, "GET", "info", "").await.json(), told);
    let credentials = format!("username=jackie&{}", pair("password", PASSWORD));
    assert_eq!(call(&world, &club, "POST", "login", &credentials).await.json(), told);
    assert_eq!(call(&world, &alice, "GET", "info", "").await.json()["email"], "j@example");
}

#[actix_web::test]
async fn a_login_is_refused_only_to_who_knows_the_password() {
    let (world, club, alice) = logged_in("jackie", "Club").await;
    assert_eq!(call(&world, &club, "POST", "logout", "").await.status, StatusCode::NO_CONTENT);
    let log_in = async |username: &str, password: &str| {
        call(&world, &club, "POST", "login", &format!("username={username}&{}", pair("password", password))).await
    };
    let refused = log_in("john", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json(), json!({ "error": "This user may not use this site" }));
    let wrong = log_in("john", "jackie124").await;
    let unknown = log_in("nobody", PASSWORD).await;
    assert_eq!((wrong.status, wrong.body), (unknown.status, unknown.body));
    assert_eq!(call(&world, &alice, "GET", "info", "").await.status, StatusCode::NO_CONTENT, "nobody was logged in");
    assert_eq!(log_in("jackie", PASSWORD).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_php_broker_is_refused_too_until_the_logout() {
    let (world, club, _) = logged_in("john", "PhpClub").await;
    let answer = call(&world, &club, "GET", "info.php", "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["error"], "This user may not use this site");
    assert_eq!(call(&world, &club, "POST", "logout.php", "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(&world, &club, "GET", "info.php", "").await.status, StatusCode::NO_CONTENT);
    let (world, club, _) = logged_in("jackie", "PhpClub").await;
    assert_eq!(
        call(&world, &club, "GET", "info.php", "").await.json(),
        json!({ "username": "jackie" , "fullname": "Jackie" })
    );
}
