//! The policy for new passwords.

use std::collections::BTreeSet;

use serde_json::Value;
use sso_core::wire::User;
use url::Url;
use zxcvbn::{Score, zxcvbn};

use super::username::nfc;

/// The minimum number of characters: NIST SP 800-63B-4 section 3.1.1.2 for a password that is the only factor.
pub const MIN_CHARS: usize = 15;
/// The maximum number of bytes: far more than the 64 characters that the same section requires, far less than argon2
/// accepts.
pub const MAX_BYTES: usize = 1_024;
/// The minimum of letters or digits beside context words. A year or a date is not enough.
const FEWEST_OTHER_LETTERS: usize = 4;
const FEWEST_OTHER_DIGITS: usize = 9;
/// Shorter words occur in any text.
const SHORTEST_WORD: usize = 3;

/// Why a new password is refused. As that section demands, there are no rules on kinds of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordPolicyError {
    /// Fewer than [`MIN_CHARS`] characters.
    #[error("A password needs at least {MIN_CHARS} characters. Several words work well.")]
    TooShort,
    /// More than [`MAX_BYTES`].
    #[error("A password may have at most {MAX_BYTES} bytes.")]
    TooLong,
    /// It consists mostly of names of the account and of the site.
    #[error("This password is easy to guess: it is made of the account's own name or address, or of the site's.")]
    OwnName,
    /// It is a common password or built like one: repetitions, sequences, a few common words.
    #[error("This password is easy to guess: it is a common one, repeats itself, or is made of a few common words.")]
    Common,
}

/// Context-specific words: what others know of an account, and try first.
#[derive(Clone, Debug, Default)]
pub struct ContextWords(BTreeSet<String>);

impl ContextWords {
    /// The words of the user's name, of the attributes, such as full name and email address, and of the site's host.
    pub fn new(user: &User, site: &Url) -> Self {
        let attributes = user.attributes.values().flat_map(texts_in);
        let texts = attributes.chain([user.username.as_str()]).chain(site.host_str());
        Self(texts.flat_map(words).collect())
    }

    /// Whether the password, in lower case, consists mostly of these words.
    fn make_up(&self, password: &str) -> bool {
        let mut words: Vec<_> = self.0.iter().filter(|word| password.contains(word.as_str())).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let rest = words.iter().fold(password.to_owned(), |rest, word| rest.replace(word.as_str(), " "));
        let count = |is: fn(char) -> bool| rest.chars().filter(|&c| is(c)).count();
        !words.is_empty()
            && count(char::is_alphabetic) < FEWEST_OTHER_LETTERS
            && count(char::is_numeric) < FEWEST_OTHER_DIGITS
    }
}

/// The texts in an attribute, including those of its parts.
fn texts_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts_in).collect(),
        Value::Object(values) => values.values().flat_map(texts_in).collect(),
        _ => Vec::new(),
    }
}

/// The text as a whole, and its words.
fn words(text: &str) -> Vec<String> {
    let text = nfc(&text.to_lowercase()).into_owned();
    let parts = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
    parts.chain([text.clone()]).filter(|word| word.chars().count() >= SHORTEST_WORD).collect()
}

/// Checks a new password of an account. Takes some hundred milliseconds, or seconds for input that is made to be slow.
pub fn check_new(password: &str, own: &ContextWords) -> Result<(), PasswordPolicyError> {
    check_length(password)?;
    let password = nfc(password);
    if own.make_up(&nfc(&password.to_lowercase())) {
        return Err(PasswordPolicyError::OwnName);
    }
    // Common passwords, names and words, backwards too, with digits in place of letters, repeated, rows of keys, dates
    // (ASVS 6.2.4). The best score means 10^10 guesses, which three words taken at random need.
    let own: Vec<_> = own.0.iter().map(String::as_str).collect();
    if zxcvbn(&password, &own).score() < Score::Four { Err(PasswordPolicyError::Common) } else { Ok(()) }
}

/// The fast part of the check.
pub fn check_length(password: &str) -> Result<(), PasswordPolicyError> {
    if password.len() > MAX_BYTES {
        Err(PasswordPolicyError::TooLong)
    } else if nfc(password).chars().count() < MIN_CHARS {
        Err(PasswordPolicyError::TooShort)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jackie() -> ContextWords {
        let mut user = User { username: "jackie".into(), attributes: Default::default() };
        user.attributes.insert("fullname".into(), "Jackie Bl\u{fc}ck".into());
        user.attributes.insert("email".into(), "jackie.b@shop.example".into());
        user.attributes.insert("age".into(), 38.into());
        user.attributes.insert("profile".into(), serde_json::json!({ "town": "Llanfairpwllgwyngyll" }));
        ContextWords::new(&user, &"https://sso.example.com".parse().unwrap())
    }

    #[test]
    fn long_ones_are_accepted_without_rules_on_characters() {
        for good in [
            "a quite new password",
            "purple monkey dishwasher",
            "PURPLE-MONKEY-DISHWASHER",
            "my cat Jackie likes milk",
            "xk29vlq0ptz81mn",
            "8401927364018273401",
            "stra\u{df}e \u{fc}ber k\u{f6}ln heute",
            "犬も歩けば棒に当たると言うけれど",
            "jackie 84019273640182",
            &format!("purple monkey dishwasher{}", "x".repeat(1_000)),
        ] {
            assert_eq!(check_new(good, &jackie()), Ok(()), "{good}");
        }
    }

    #[test]
    fn the_length_counts_characters_as_they_are_kept() {
        for (password, why) in [
            ("fourteen chars", PasswordPolicyError::TooShort),
            (
                "\u{e9}\u{e8}\u{ea}\u{e9}\u{e8}\u{ea}\u{e9}\u{e8}\u{ea}\u{e9}\u{e8}\u{ea}\u{e9}\u{e8}",
                PasswordPolicyError::TooShort,
            ),
            // 15 that are typed, and 14 that are kept.
            ("fourteen chare\u{301}", PasswordPolicyError::TooShort),
            (&"x".repeat(MAX_BYTES + 1), PasswordPolicyError::TooLong),
        ] {
            assert_eq!(check_length(password), Err(why), "{password}");
            assert_eq!(check_new(password, &jackie()), Err(why), "{password}");
        }
    }

    #[test]
    fn what_is_common_or_made_like_it_is_refused() {
        for bad in [
            "passwordpassword",
            "Passw0rd!Passw0rd!",
            "P@ssw0rd12345678",
            "123456789123456789",
            "qwertyuiopasdfgh",
            "1q2w3e4r5t6y7u8i",
            "aaaaaaaaaaaaaaaaaaaa",
            "               ",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            "iloveyouforever",
            "bestfriendsforever",
            "letmeinletmeinletmein",
            "Summer2026Summer2026",
            "manchesterunited",
            "thisismypassword",
            "abcdefghijklmnop",
        ] {
            assert_eq!(check_new(bad, &jackie()), Err(PasswordPolicyError::Common), "{bad}");
        }
    }

    #[test]
    fn what_the_account_suggests_is_refused() {
        for bad in [
            "jackie.b@shop.example",
            "JackieJackieJackie",
            "llanfairpwllgwyngyll!",
            "Jackie-Blu\u{308}ck-1987",
            "jackie.bl\u{fc}ck@example.com",
            "jackie.b@sso.example.com",
            "sso.example.com!",
            "sso.example.com-2026-11",
        ] {
            assert_eq!(check_new(bad, &jackie()), Err(PasswordPolicyError::OwnName), "{bad}");
        }
        // Backwards, and with digits in place of letters.
        for bad in ["eikcajeikcajeikcaj", "j4ck13j4ck13j4ck13"] {
            assert_eq!(check_new(bad, &jackie()), Err(PasswordPolicyError::Common), "{bad}");
        }
        // Of another account they are as good as other names.
        assert_eq!(check_new("jackie.bl\u{fc}ck@shop.example", &ContextWords::default()), Ok(()));
    }
}
