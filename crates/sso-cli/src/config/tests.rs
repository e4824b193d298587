use std::time::Duration;

use sso_server::AllowedUsers;

use super::{
    layers::{check_variables, parse},
    *,
};

const TWICE: &str = "{ username = \"a\", password = \"$2y$04$2lfHd8ZxUQ9XGZqQqPsS5OYG1lYQ6kqG9mJmQ1m3b8oE0cTt6aB2e\" }";
const GOOD: &str = "public_url = \"https://sso.example.com\"\n";
const STRONG: &str = "secret = \"0123456789012345678901234567890123456789\"";

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let environment =
        |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
    let layers = parse(Some(("sso.toml".into(), text.into())), environment);
    layers.and_then(|layers| Config::checked(&layers)).map_err(|error| error.to_string())
}

#[test]
fn the_environment_overrides_the_file() {
    let text = format!("{GOOD}listen = \"127.0.0.1:1\"\n[session]\nidle_timeout = \"5min\"\nwarn_before = \"30s\"\n");
    let config = read(&text, &[]).unwrap();
    assert_eq!(config.policy.idle_timeout, Duration::from_secs(300));
    assert_eq!(config.listen.port(), 1);
    let brokers = "[{ id = \"A\", secret = \"0123456789012345678901234567890123456789\", origins = [\"https://a\"] }]";
    let variables = [
        ("SSO_LISTEN", "[::1]:2"),
        ("SSO_SESSION_IDLE_TIMEOUT", "90s"),
        ("SSO_PHP_ROUTES", "true"),
        ("SSO_SESSION_MAX_SESSIONS_PER_USER", "2"),
        ("SSO_BROKERS", brokers),
    ];
    let config = read(&text, &variables).unwrap();
    assert_eq!((config.listen.port(), config.php_routes), (2, true));
    assert_eq!(config.policy.idle_timeout, Duration::from_secs(90));
    assert_eq!(config.policy.max_sessions_per_user.get(), 2);
    assert_eq!(config.brokers.len(), 1);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let broker = |more: &str| format!("{GOOD}\n[[brokers]]\nid = \"A\"\norigins = [\"https://a\"]\n{more}\n");
    let twins = |name: &str| format!("{GOOD}users = [{TWICE}, {}]", TWICE.replace("\"a\"", &format!("\"{name}\"")));
    let strong = |more: &str| broker(&format!("{STRONG}\n{more}"));
    for (text, place, what) in [
        ("listen = \"127.0.0.1:1\"".to_owned(), "public_url is not set", ""),
        (format!("{GOOD}nonsense = 1"), "sso.toml:2: ", "unknown field `nonsense`"),
        (format!("{GOOD}\nstore = \"mysql:\""), "sso.toml:3: ", "`mysql:` is not a known store"),
        (format!("{GOOD}listen = \"here\""), "sso.toml:2: ", "invalid socket address"),
        (format!("{GOOD}[session]\nidle_timeout = \"20\""), "sso.toml:3: ", "`20` is not a duration such as"),
        (format!("{GOOD}[session]\nidle_timeout = \"-5s\""), "sso.toml:3: ", "is not a duration"),
        (format!("{GOOD}[session]\nidle_timeout = \"13h\""), "sso.toml:3: ", "must not be longer than"),
        (format!("{GOOD}[session]\nabsolute_lifetime = \"1min\""), "sso.toml:3: ", "must not be longer than"),
        (format!("{GOOD}[session]\nwarn_before = \"20min\""), "sso.toml:3: ", "warn_before must be shorter than"),
        (format!("{GOOD}[session]\nform_timeout = \"1h\""), "sso.toml:3: ", "form_timeout must be shorter than"),
        (format!("{GOOD}[session]\nregenerate_every = \"0s\""), "sso.toml:3: ", "must be at least one second"),
        (format!("{GOOD}[session]\nnever_expire = \"yes\""), "sso.toml:3: ", "invalid type"),
        (format!("{GOOD}[session]\nmax_anonymous = 0"), "sso.toml:3: ", "nonzero"),
        (format!("{GOOD}[session]\nmax_sessions_per_user = 0"), "sso.toml:3: ", "nonzero"),
        (format!("{GOOD}[session]\nname = \"a b\""), "sso.toml:3: ", "is not 1 to 64 letters"),
        (format!("{GOOD}[session]\nidle = \"1s\""), "sso.toml:3: ", "unknown field `idle`"),
        (format!("{GOOD}[jwt]\naccess_lifetime = \"0s\""), "sso.toml:3: ", "[jwt] access_lifetime must be at least"),
        (format!("{GOOD}[jwt]\nremember_lifetime = \"30\""), "sso.toml:3: ", "`30` is not a duration"),
        (
            format!("{GOOD}[session]\nidle_timeout = \"15min\"\n[jwt]\nremember_absolute = \"29d\""),
            "sso.toml:5: ",
            "[jwt] remember_lifetime must not be longer than remember_absolute",
        ),
        (
            format!("{GOOD}[jwt]\nremember_absolute = \"180d\"\nremember_lifetime = \"181d\""),
            "sso.toml:4: ",
            "[jwt] remember_lifetime must not be longer than remember_absolute",
        ),
        (format!("{GOOD}[jwt]\nremember_me = \"yes\""), "sso.toml:3: ", "invalid type"),
        (format!("{GOOD}[jwt]\nkey = \"keys\""), "sso.toml:3: ", "unknown field `key`"),
        (broker(""), "sso.toml:3: broker A: ", "expected either `secret` or `secret_file`"),
        (broker("secret = \"short\""), "sso.toml:3: broker A: ", "less than 128 bits"),
        (broker("secret_file = \"/does/not/exist\""), "sso.toml:3: broker A: ", "cannot read"),
        (broker("secret = \"\""), "sso.toml:3: broker A: ", "the secret is empty"),
        (strong("previous_secret = \"\""), "sso.toml:3: broker A: ", "the previous_secret is empty"),
        (strong("previous_secret = \"short\""), "sso.toml:3: broker A: ", "less than 128 bits"),
        (strong(&format!("previous_{STRONG}")), "sso.toml:3: broker A: ", "is the secret itself"),
        (
            strong("previous_secret = \"a\"\nprevious_secret_file = \"b\""),
            "sso.toml:3: broker A: ",
            "expected either `previous_secret` or `previous_secret_file`",
        ),
        (strong("allow_users = \"a\""), "sso.toml:7: ", "invalid type"),
        ("public_url = \"http://sso.example.com\"".to_owned(), "sso.toml:1: ", "must be https"),
        (format!("{GOOD}users = [{TWICE}, {TWICE}]"), "sso.toml:2: user a: ", "given twice"),
        (twins("a "), "sso.toml:2: user a : ", "differs only in white space"),
        (twins("a\\u200b"), "sso.toml:2: user a\\u{200b}: ", "differs only in white space"),
        (broker("checksum = \"md5\""), "sso.toml:6: ", "unknown variant `md5`"),
        (format!("{GOOD}users = [{{ username = \"a\", password = \"b\" }}]"), "sso.toml:2: ", "not an argon2"),
    ] {
        let error = read(&text, &[]).unwrap_err();
        assert!(error.starts_with(place) && error.contains(what) && !error.contains('\n'), "{text}\n{error}");
    }
    let error = read(GOOD, &[("SSO_SESSION_IDLE_TIMEOUT", "20")]).unwrap_err();
    assert!(error.starts_with("SSO_SESSION_IDLE_TIMEOUT: `20` is not a duration"), "{error}");
}

/// As `sso.toml` says, and as a file from before there was an absolute end needs it.
#[test]
fn browsers_that_are_remembered_for_longer_than_180_days_need_no_second_setting() {
    let lived = |more: &str, variables: &[(&str, &str)]| {
        let tokens = read(&format!("{GOOD}[jwt]\n{more}"), variables).unwrap().tokens;
        [tokens.remember_lifetime, tokens.remember_absolute].map(|lifetime| lifetime.as_secs() / (24 * 60 * 60))
    };
    for (more, expected) in [
        ("", [30, 180]),
        ("remember_lifetime = \"180d\"", [180, 180]),
        ("remember_lifetime = \"200d\"", [200, 200]),
        ("remember_lifetime = \"200d\"\nremember_absolute = \"300d\"", [200, 300]),
        ("remember_absolute = \"30d\"", [30, 30]),
    ] {
        assert_eq!(lived(more, &[]), expected, "{more}");
    }
    let variables = [("SSO_JWT_REMEMBER_LIFETIME", "200d")];
    assert_eq!(lived("", &variables), [200, 200]);
    // Set in two places, they contradict each other all the same.
    let error = read(&format!("{GOOD}[jwt]\nremember_absolute = \"180d\""), &variables).unwrap_err();
    assert!(error.starts_with("SSO_JWT_REMEMBER_LIFETIME: ") && error.contains("longer than"), "{error}");
}

#[test]
fn a_brokers_rules_and_its_older_secret_are_read() {
    let text = |more: &str| format!("{GOOD}[[brokers]]\nid = \"A\"\norigins = [\"https://a\"]\n{STRONG}\n{more}\n");
    let broker = |more: &str| read(&text(more), &[]).unwrap().brokers[0].broker().unwrap();
    assert_eq!((broker("").allowed_users, broker("").attributes), (AllowedUsers::Everyone, None));
    let rules = "allow_users = [\"jackie\"]\nallow_groups = [\"staff\"]\nattributes = [\"fullname\"]\n\
         previous_secret = \"9876543210987654321098765432109876543210\"";
    let (users, groups) = (["jackie".to_owned()].into(), ["staff".to_owned()].into());
    assert_eq!(broker(rules).allowed_users, AllowedUsers::Only { users, groups });
    assert_eq!(broker(rules).attributes, Some(vec!["fullname".to_owned()]));
    assert!(broker(rules).is_strong());
    let users = ["jackie".to_owned()].into();
    assert_eq!(
        broker("allow_users = [\"jackie\"]").allowed_users,
        AllowedUsers::Only { users, groups: Default::default() }
    );
    // As it is written, and in the form that counts.
    let users = ["Zoe\u{308}".to_owned(), "Zo\u{eb}".to_owned()].into();
    assert_eq!(
        broker("allow_users = [\"Zoe\\u0308\"]").allowed_users,
        AllowedUsers::Only { users, groups: Default::default() }
    );
}

#[test]
fn variables_that_nobody_reads_are_told() {
    let check = |name: &str| check_variables([(name.into(), "1".into())].into_iter()).map_err(|e| e.to_string());
    assert_eq!(check("SSO_SESSION_IDLE_TIMEOUT"), Ok(()));
    assert_eq!(check("SSO_SERVER"), Ok(()));
    assert_eq!(check("SSO_SESSION_IDLE"), Err("SSO_SESSION_IDLE: unknown variable".into()));
    assert_eq!(check("SSO_JWT_KEYS"), Ok(()));
    assert_eq!(check("SSO_JWT_KEY"), Err("SSO_JWT_KEY: unknown variable".into()));
}

#[test]
fn a_weak_secret_is_for_the_loopback_only() {
    let entry = "[[brokers]]\nid = \"A\"\norigins = [\"https://a\"]\nsecret = \"short\"\n";
    assert!(read(&format!("public_url = \"http://localhost:8000\"\n{entry}"), &[]).is_ok());
    assert!(read(&format!("{GOOD}{entry}"), &[]).is_err());
}

/// The shipped file is right, and the defaults that it tells are the real ones.
#[test]
fn the_shipped_file_tells_the_defaults() {
    let shipped = include_str!("../../../../sso.toml");
    let config = read(shipped, &[]).unwrap();
    assert_eq!((&config.policy, &config.tokens), (&Policy::default(), &TokenPolicy::default()));
    assert_eq!(config.keys, None);
    let all_set: String = shipped
        .lines()
        .map(|line| line.strip_prefix("#").filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .collect();
    assert_ne!(all_set, shipped);
    let explicit = read(&all_set, &[]).unwrap();
    assert_eq!((explicit.policy, explicit.tokens), (config.policy, config.tokens));
    assert_eq!(
        (explicit.listen, explicit.store, explicit.php_routes, explicit.max_anonymous),
        (config.listen, config.store, config.php_routes, config.max_anonymous)
    );
}
