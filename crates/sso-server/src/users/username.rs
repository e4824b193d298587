//! User names: the canonical form in which they are looked up, compared and counted, and the rules for new names.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

/// The longest name, in bytes.
const LONGEST: usize = 256;

/// Why a new user name is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsername {
    /// It is empty or too long.
    #[error("a user's name has 1 to {LONGEST} bytes")]
    Length,
    /// Two names could look the same, and a terminal or a page could show something else.
    #[error("a user's name has no invisible characters: U+{:04X} is one", u32::from(*.0))]
    Invisible(char),
    /// Two names could look the same.
    #[error("a user's name has no two spaces in a row")]
    TwoSpaces,
    /// It is not [`canonical`].
    #[error("a user's name has no white space at its ends, and is in Unicode's normal form NFC")]
    NotCanonical,
}

/// The canonical form of a name: without white space at its ends, in Unicode's normal form NFC. So keyboards,
/// clipboards and autocorrection make no difference.
pub fn canonical(name: &str) -> Cow<'_, str> {
    nfc(name.trim())
}

/// Unicode's normal form NFC.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// The visible part of a name. People cannot distinguish two names with the same visible part.
pub fn visible(name: &str) -> String {
    let seen: String = name.chars().filter(|&c| c.is_whitespace() || !is_invisible(c)).collect();
    // Characters that were apart may combine now.
    nfc(&seen.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

/// Checks the name of a new user.
pub fn check_username(name: &str) -> Result<(), InvalidUsername> {
    if !(1..=LONGEST).contains(&name.len()) {
        Err(InvalidUsername::Length)
    } else if canonical(name) != name {
        Err(InvalidUsername::NotCanonical)
    } else if let Some(c) = name.chars().find(|&c| is_invisible(c)) {
        Err(InvalidUsername::Invisible(c))
    } else if name.contains("  ") {
        Err(InvalidUsername::TwoSpaces)
    } else {
        Ok(())
    }
}

/// Control characters, white space other than a plain space, and what Unicode marks as not displayed: zero-width, bidi
/// controls, fillers.
fn is_invisible(c: char) -> bool {
    let is_ignorable = || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    c.is_control() || (c.is_whitespace() && c != ' ') || is_ignorable()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_name_has_one_form() {
        for (typed, form) in [
            ("jackie", "jackie"),
            (" jackie\u{a0}\u{3000}\n", "jackie"),
            ("Zoe\u{308}", "Zo\u{eb}"),
            ("\u{1112}\u{1161}\u{11ab}", "\u{d55c}"),
            // What only looks alike is another name.
            ("\u{455}am", "\u{455}am"),
            ("\u{fb01}n", "\u{fb01}n"),
            ("Jackie", "Jackie"),
            (" \t", ""),
        ] {
            assert_eq!(canonical(typed), form);
        }
    }

    #[test]
    fn new_names_can_be_told_apart_by_looking() {
        for good in ["jackie", "Ada Lovelace", "jackie@example.com", "Zo\u{eb}", "ジャッキー 1", "\u{627}\u{628}", "x"]
        {
            assert_eq!(check_username(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", InvalidUsername::Length),
            (&"x".repeat(257), InvalidUsername::Length),
            (" ada", InvalidUsername::NotCanonical),
            ("ada\u{2003}", InvalidUsername::NotCanonical),
            ("Zoe\u{308}", InvalidUsername::NotCanonical),
            ("a\nda", InvalidUsername::Invisible('\n')),
            ("a\0da", InvalidUsername::Invisible('\0')),
            ("ad\u{200b}a", InvalidUsername::Invisible('\u{200b}')),
            ("\u{feff}ada", InvalidUsername::Invisible('\u{feff}')),
            ("ada\u{202e}nimda", InvalidUsername::Invisible('\u{202e}')),
            ("ada\u{2066}", InvalidUsername::Invisible('\u{2066}')),
            ("ad\u{ad}a", InvalidUsername::Invisible('\u{ad}')),
            ("ada\u{3164}", InvalidUsername::Invisible('\u{3164}')),
            ("ada\u{fe0f}", InvalidUsername::Invisible('\u{fe0f}')),
            ("ada\u{e0061}", InvalidUsername::Invisible('\u{e0061}')),
            ("ada\u{a0}lovelace", InvalidUsername::Invisible('\u{a0}')),
            ("ada  lovelace", InvalidUsername::TwoSpaces),
        ] {
            assert_eq!(check_username(bad), Err(why), "{bad:?}");
        }
        assert!(InvalidUsername::Invisible('\u{200b}').to_string().contains("U+200B"));
    }

    #[test]
    fn what_cannot_be_seen_tells_no_names_apart() {
        for other in ["ada", " ada ", "ad\u{200b}a", "\u{202a}ada\u{202c}", "ada\u{a0}"] {
            assert_eq!(visible(other), "ada", "{other:?}");
        }
        assert_eq!((visible("Zoe\u{200b}\u{308}"), visible("a \u{3000}b")), ("Zo\u{eb}".into(), "a b".into()));
        for other in ["Ada", "adb", "a da", "\u{430}da", ""] {
            assert_ne!(visible(other), "ada", "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn the_form_is_its_own_form(name in any::<String>()) {
            let form = canonical(&name).into_owned();
            prop_assert_eq!(canonical(&form), form.as_str());
            prop_assert_eq!(visible(&name), visible(&form));
        }

        #[test]
        fn two_names_that_can_be_added_look_different(one in "[ae\u{308}\u{eb}\u{200b} \u{a0}]{1,4}", other in "[ae\u{308}\u{eb}\u{200b} \u{a0}]{1,4}") {
            if check_username(&one).is_ok() && check_username(&other).is_ok() && one != other {
                prop_assert_ne!(visible(&one), visible(&other));
            }
        }
    }
}
