//! Names and passwords as people type them: white space around a name, and another Unicode form of either.

use std::sync::{Arc, Mutex};

use sso_server::{Account, Credentials, Error, PasswordHash, Server, UserList, Users, directory::Chain};

use crate::common::{
    Browser, World, credentials,
    directory::{Directory, hash},
    wrong_credentials,
};

/// `Zoë`, as most keyboards give it, and as some do.
const NFC: &str = "Zo\u{eb}";
const NFD: &str = "Zoe\u{308}";

async fn logs_in_as(server: &Server, username: &str) -> Result<String, Error> {
    let visit = server.log_in(None, &credentials(username)).await?;
    Ok(visit.session.user().unwrap().username.clone())
}

/// A list that is known from the start, and one that is looked up to the letter.
fn with_names(names: &[&str]) -> [World; 2] {
    let directory = Directory::default();
    names.iter().for_each(|name| directory.put(Account::new(*name, hash())));
    let list: UserList = names.iter().map(|name| Account::new(*name, hash())).collect();
    [World::with_users(directory), World::with_users(list)]
}

#[tokio::test]
async fn white_space_around_a_name_and_its_unicode_form_do_not_count() {
    for world in with_names(&["jackie", NFC]) {
        for typed in ["jackie", " jackie", "jackie ", "\u{a0}jackie\u{3000}\r\n"] {
            assert_eq!(logs_in_as(&world.server, typed).await.as_deref(), Ok("jackie"), "{typed:?}");
        }
        for typed in [NFC, NFD, " Zoe\u{308} "] {
            assert_eq!(logs_in_as(&world.server, typed).await.as_deref(), Ok(NFC), "{typed:?}");
        }
        for other in ["Jackie", "jack ie", "jackie\u{200b}", "Zoe", "zo\u{eb}", "", " "] {
            assert_eq!(logs_in_as(&world.server, other).await, Err(Error::InvalidCredentials), "{other:?}");
        }
    }
}

#[tokio::test]
async fn through_a_broker_too() {
    let world = World::new();
    let link = world.attach(&mut Browser::default(), "Alice").await;
    let call = world.broker_call(&link).await.unwrap();
    let user = world.server.broker_log_in(&call, &credentials(" jackie ")).await.unwrap();
    assert_eq!(user.username, "jackie");
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some("jackie"));
}

/// Other programs, and versions before this one, may have written them so.
#[tokio::test]
async fn a_name_that_is_kept_in_another_form_is_found_by_who_types_it_so() {
    let [to_the_letter, listed] = with_names(&[NFD, " ada"]);
    for name in [NFD, " ada"] {
        assert_eq!(logs_in_as(&to_the_letter.server, name).await.as_deref(), Ok(name));
    }
    assert_eq!(logs_in_as(&to_the_letter.server, NFC).await, Err(Error::InvalidCredentials));
    // A list takes no name in another form.
    for (typed, name) in [(NFD, NFC), (NFC, NFC), (" ada", "ada"), ("ada", "ada")] {
        assert_eq!(logs_in_as(&listed.server, typed).await.as_deref(), Ok(name), "{typed:?}");
    }
    // Where both are there, each is its own user's.
    let [both, _] = with_names(&[NFD, NFC]);
    for name in [NFD, NFC] {
        assert_eq!(logs_in_as(&both.server, name).await.as_deref(), Ok(name));
    }
}

#[tokio::test]
async fn a_session_of_a_name_in_another_form_goes_on_and_is_confirmed_by_its_own_account_alone() {
    let directory = Directory::default();
    directory.put(Account::new(NFD, hash()));
    let world = World::with_users(directory.clone());
    let mut browser = Browser::default();
    world.log_in(&mut browser, NFD).await;
    let link = world.attach(&mut browser, "Alice").await;
    assert_eq!(world.info(&link).await.unwrap().as_deref(), Some(NFD));
    browser
        .receive(world.server.confirm_password(browser.cookie.as_ref(), &credentials(NFD)).await.unwrap().set_cookie);
    // Its account goes away, and one of another form comes.
    directory.stop_the_cache();
    directory.remove(NFD);
    directory.put(Account::new(NFC, hash()));
    let other = world.server.confirm_password(browser.cookie.as_ref(), &credentials(NFD)).await;
    assert_eq!(other.unwrap_err(), Error::NotLoggedIn);
}

#[tokio::test]
async fn a_name_that_is_typed_in_many_ways_gives_no_more_guesses() {
    let world = World::new();
    for typed in ["jackie", " jackie", "jackie ", "jackie\u{a0}", "\tjackie\u{2003}"] {
        let wrong = world.server.log_in(None, &wrong_credentials(typed)).await;
        assert_eq!(wrong.unwrap_err(), Error::InvalidCredentials);
    }
    world.server.log_in(None, &wrong_credentials("jackie")).await.unwrap_err();
    for typed in ["jackie", "jackie  ", "\u{3000}jackie"] {
        let early = world.server.log_in(None, &wrong_credentials(typed)).await;
        assert_eq!(early.unwrap_err(), Error::TooManyFailures { retry_after: 1 }, "{typed:?}");
    }
    assert!(logs_in_as(&world.server, " john").await.is_ok());
}

#[tokio::test]
async fn a_browser_knows_its_user_however_the_name_is_typed() {
    let world = World::new();
    let mut browser = Browser::default();
    world.log_in(&mut browser, "jackie").await;
    browser.receive(world.server.log_out(browser.cookie.as_ref()).await.unwrap());
    for _ in 0..6 {
        world.server.log_in(None, &wrong_credentials("jackie")).await.unwrap_err();
    }
    assert!(world.server.log_in(None, &credentials("jackie ")).await.is_err(), "a stranger waits");
    assert!(world.server.log_in(browser.cookie.as_ref(), &credentials("jackie ")).await.is_ok());
}

/// How long a login takes must not tell whether somebody is there.
#[tokio::test]
async fn a_name_that_nobody_has_is_looked_up_as_often_as_one_that_somebody_has() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let users = {
        let asked = asked.clone();
        move |name: &str| {
            asked.lock().unwrap().push(name.to_owned());
            (name == "jackie").then(|| Account::new(name, hash()))
        }
    };
    let world = World::with_users(users);
    for (typed, looked_up) in [
        ("jackie", &["jackie"][..]),
        ("nobody", &["nobody"]),
        ("jackie ", &["jackie ", "jackie"]),
        ("nobody ", &["nobody ", "nobody"]),
        (NFD, &[NFD, NFC]),
    ] {
        asked.lock().unwrap().clear();
        let _ = world.server.log_in(None, &wrong_credentials(typed)).await;
        assert_eq!(*asked.lock().unwrap(), looked_up, "{typed:?}");
    }
}

#[tokio::test]
async fn a_password_is_the_same_on_every_keyboard() {
    let (nfc, nfd) = ("stra\u{df}e \u{fc}ber k\u{f6}ln", "stra\u{df}e u\u{308}ber ko\u{308}ln");
    for set in [nfc, nfd] {
        let users = UserList::from_iter([Account::new("jackie", PasswordHash::new(set).unwrap())]);
        let world = World::with_users(users);
        for typed in [nfc, nfd] {
            let credentials = Credentials { username: "jackie".into(), password: typed.into(), remember: false };
            assert!(world.server.log_in(None, &credentials).await.is_ok(), "{set:?} {typed:?}");
        }
        // A password has its white space.
        let padded = Credentials { username: "jackie".into(), password: format!(" {nfc}"), remember: false };
        assert_eq!(world.server.log_in(None, &padded).await.unwrap_err(), Error::InvalidCredentials);
    }
}

#[tokio::test]
async fn a_list_has_each_name_once_in_whatever_form() {
    let named = |name, group| Account::new(name, hash()).group(group);
    let list = UserList::from_iter([named(NFC, "earlier"), named(NFD, "later")]);
    assert_eq!(list.find(NFC).await.unwrap().unwrap().groups, ["later"]);
    assert!(list.find(NFD).await.unwrap().is_none(), "to the letter, as everywhere");
}

/// As with `[[users]]` in the file, and a table that other programs write.
#[tokio::test]
async fn a_list_hides_nobody_else_whose_name_has_another_form() {
    let table = Directory::default();
    table.put(Account::new(NFD, hash()).attribute("from", "the table"));
    let list = UserList::from_iter([Account::new(NFC, hash()).attribute("from", "the list")]);
    let world = World::with_users(Chain(list, table));
    for (typed, from) in [(NFC, "the list"), (NFD, "the table"), (" Zo\u{eb}", "the list")] {
        let mut browser = Browser::default();
        browser.receive(world.server.log_in(browser.cookie.as_ref(), &credentials(typed)).await.unwrap().set_cookie);
        let link = world.attach(&mut browser, "Alice").await;
        let session = world.broker_call(&link).await.unwrap().session.clone();
        assert_eq!(session.user().unwrap().attributes["from"], from, "{typed:?}");
    }
}
