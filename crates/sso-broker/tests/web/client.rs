//! What the client makes of good and odd answers.

use std::time::Duration;

use sso_broker::{Body, Broker, BrokerBuilder, EndReason, Info, Method, RequestError};
use sso_core::{BearerToken, Token, VerificationCode};

use crate::server::{IDLE, Server};

fn broker(builder: BrokerBuilder) -> Broker {
    builder.public_url("http://alice.localhost").build().unwrap()
}

/// Of a visitor who is attached at the server.
fn bearer(server: &Server) -> BearerToken {
    let (token, code) = (Token::generate(), VerificationCode::generate());
    server.state().links.insert(token.as_str().to_owned(), code.clone());
    BearerToken::new("Alice".parse().unwrap(), token, &code, &server.key())
}

#[actix_web::test]
async fn odd_answers_are_errors_that_say_so() {
    let server = Server::start();
    let (broker, bearer) = (broker(server.broker()), bearer(&server));
    let get =
        async |what: &str| broker.client().request(&bearer, Method::GET, &format!("/odd/{what}"), Body::None).await;

    assert_eq!(get("good").await.unwrap().unwrap()["a"], 1);
    assert!(get("fits").await.is_ok());
    for (what, told) in [
        ("html", "content type `text/html`"),
        ("broken", "broken JSON"),
        ("redirect", "302 Found, which is not followed"),
        ("large", "more than 1048576 bytes"),
        ("fatal", "500 Internal Server Error with content type `text/html`"),
        ("no-text", "400 Bad Request without an error text"),
    ] {
        let Err(RequestError::BadAnswer(text)) = get(what).await else { panic!("{what}") };
        assert!(text.contains(told), "{text}");
    }
    for (what, status, text) in [("else", 404, "No such call"), ("unknown-code", 403, "No")] {
        assert_eq!(get(what).await, Err(RequestError::Refused { status, error: text.into() }));
    }
    assert!(matches!(get("gateway").await, Err(RequestError::Unreachable(_))));
    assert!(matches!(
        broker.client().request(&bearer, Method::GET, "//evil.example/", Body::None).await,
        Err(RequestError::ForeignPath(_))
    ));
}

#[actix_web::test]
async fn the_typed_calls() {
    let server = Server::start();
    let (broker, bearer) = (broker(server.broker()), bearer(&server));
    let client = broker.client();
    assert_eq!(client.info(&bearer).await, Ok(Info::default()));
    let wrong = RequestError::Refused { status: 400, error: "Invalid credentials".into() };
    assert_eq!(client.login(&bearer, "jackie", "x&password=jackie123").await, Err(wrong));
    assert_eq!(client.login(&bearer, "jackie", "jackie123").await.unwrap().username, "jackie");
    assert_eq!(client.info(&bearer).await.unwrap().user.unwrap().attributes["email"], "j@example.com");
    client.merge_data(&bearer, serde_json::Map::from_iter([("a".into(), 1.into())])).await.unwrap();
    assert_eq!(client.data(&bearer).await.unwrap()["a"], 1);
    assert_eq!(client.logout(&bearer).await, Ok(Some(2)));
    let ended = Some((EndReason::LoggedOut, 2));
    assert_eq!(client.info(&bearer).await, Ok(Info { ended, ..Info::default() }));
    assert_eq!(client.logout(&bearer).await, Ok(Some(2)), "no other end");
    server.state().is_remembered = true;
    assert_eq!(client.info(&bearer).await, Ok(Info { ended, resume: true, ..Info::default() }));
    assert_eq!(client.session(&bearer).await.unwrap().ended.unwrap().reason, EndReason::LoggedOut);
    server.state().log_in_elsewhere("john");
    assert_eq!(client.info(&bearer).await, Err(RequestError::Superseded));
    let unknown =
        BearerToken::new("Alice".parse().unwrap(), Token::generate(), &VerificationCode::generate(), &server.key());
    assert_eq!(client.info(&unknown).await, Err(RequestError::NotAttached));
}

#[actix_web::test]
async fn only_calls_with_a_person_behind_them_extend_the_session() {
    let server = Server::start();
    let (broker, bearer) = (broker(server.broker()), bearer(&server));
    server.state().user = Some("jackie".into());
    let (active, passive) = (broker.client().clone(), broker.client().passively());
    for client in [&active, &passive] {
        server.state().left = 100;
        let asked = client.session(&bearer).await.unwrap();
        assert_eq!((asked.authenticated, asked.username.as_deref(), asked.warn_before), (true, Some("jackie"), 120));
        assert_eq!((asked.expires_in, asked.idle_expires_in), (Some(100), Some(100)));
        assert_eq!(asked.absolute_expires_in, Some(43_187));
        assert_eq!(client.keepalive(&bearer).await.unwrap().expires_in, Some(IDLE));
    }
    for (client, said, left) in [(&passive, "none", 100), (&active, "", IDLE)] {
        server.state().left = 100;
        server.state().activity.clear();
        client.info(&bearer).await.unwrap();
        client.data(&bearer).await.unwrap();
        client.request(&bearer, Method::GET, "/api/data", Body::None).await.unwrap();
        assert_eq!(server.state().activity, [said; 3]);
        assert_eq!(server.state().left, left);
    }
    assert_eq!(server.state().calls.iter().filter(|call| *call == "POST /api/session/keepalive ").count(), 2);
}

#[actix_web::test]
async fn a_server_that_is_silent_or_gone_is_unreachable() {
    let server = Server::start();
    let bearer = bearer(&server);
    let hasty = broker(server.broker().time_limits(Duration::from_secs(60), Duration::from_millis(50)));
    let answer = hasty.client().request(&bearer, Method::GET, "/odd/silent", Body::None).await;
    assert!(matches!(answer, Err(RequestError::Unreachable(_))), "{answer:?}");
    let here = broker(server.broker());
    assert!(here.client().is_reachable().await);
    assert_eq!(here.client().info(&bearer).await, Ok(Info::default()));

    let gone = broker(server.broker().backchannel("http://gone.localhost:1"));
    let Err(RequestError::Unreachable(reason)) = gone.client().info(&bearer).await else { panic!("it is gone") };
    assert!(reason.contains("refused") && !reason.contains("localhost"), "{reason}");
    assert!(!gone.client().is_reachable().await);
}
