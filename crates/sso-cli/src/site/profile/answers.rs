//! The answers in the profile form: where they are kept, what is asked, and what is wrong with an answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sso_server::core::wire::User;
use sso_site::{EMAIL, FULL_NAME};

use crate::pages::Field;

/// The account's attribute that has the profile. Those that the operator has set are others: brokers may trust in them.
pub(super) const ATTRIBUTE: &str = "profile";

/// The answers to all questions.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) fullname: String,
    pub(super) email: String,
    pub(super) town: String,
    pub(super) about: String,
}

impl Profile {
    /// What the account has; `None` where an operator uses the attribute for something else, or nobody does.
    pub(super) fn stored(user: &User) -> Option<Self> {
        let value = user.attributes.get(ATTRIBUTE)?;
        // Whatever would not come back as it is, the form has not saved.
        Self::deserialize(value).ok().filter(|profile| profile.as_value() == *value)
    }

    /// What the account has, or else what is known of the user.
    pub(super) fn known(user: &User) -> Self {
        Self::stored(user).unwrap_or_else(|| {
            let known = |name| user.attributes.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            Self { fullname: known("fullname"), email: known("email"), ..Self::default() }
        })
    }

    /// What the account keeps.
    pub(super) fn as_value(&self) -> Value {
        let Self { fullname, email, town, about } = self;
        serde_json::json!({ "fullname": fullname, "email": email, "town": town, "about": about })
    }

    /// Without what cannot be seen. Browsers send each line's end as two characters, and count one.
    pub(super) fn tidy(self) -> Self {
        let line = |text: String| text.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned();
        let lines = |text: String| {
            let kept = text.chars().filter(|&c| !c.is_control() || c == '\n' || c == '\t');
            kept.collect::<String>().trim().to_owned()
        };
        Self { fullname: line(self.fullname), email: line(self.email), town: line(self.town), about: lines(self.about) }
    }

    /// The first page's fields, with what is wrong with them if they are `checked`.
    pub(super) fn first_page(&self, checked: bool) -> [Field<'_>; 2] {
        let name = question("fullname", FULL_NAME, &self.fullname, "name", 100);
        let email = question("email", EMAIL, &self.email, "email", 254);
        let fields = [Field { required: true, ..name }, Field { required: true, kind: "email", ..email }];
        fields.map(|field| Field { error: problem_of(&field).filter(|_| checked), ..field })
    }

    /// The same of the second page.
    pub(super) fn second_page(&self, checked: bool) -> [Field<'_>; 2] {
        let town = question("town", "Town", &self.town, "address-level2", 100);
        let about = question("about", "About you", &self.about, "", 500);
        [town, Field { kind: "textarea", ..about }]
            .map(|field| Field { error: problem_of(&field).filter(|_| checked), ..field })
    }
}

/// Whether the account's attribute is free for a profile, and not in use by an operator for something else.
pub(in super::super) fn has_room(user: &User) -> bool {
    !user.attributes.contains_key(ATTRIBUTE) || Profile::stored(user).is_some()
}

/// A line of text that may stay empty.
fn question<'a>(
    name: &'static str,
    label: &'static str,
    value: &'a str,
    autocomplete: &'static str,
    max: usize,
) -> Field<'a> {
    Field { name, label, kind: "text", autocomplete, max, required: false, value, error: None }
}

/// What is wrong with an answer, if anything.
fn problem_of(field: &Field<'_>) -> Option<String> {
    let length = field.value.chars().count();
    if field.required && length == 0 {
        return Some(format!("{} is missing.", field.label));
    }
    if length > field.max {
        return Some(format!("{} can have at most {} characters; this has {length}.", field.label, field.max));
    }
    let is_address = |text: &str| {
        let (user, domain) = text.split_once('@').unwrap_or_default();
        !user.is_empty() && !domain.is_empty() && !domain.contains('@') && !text.contains(char::is_whitespace)
    };
    if field.kind == "email" && !is_address(field.value) {
        return Some("Enter a valid email address, such as name@example.com.".to_owned());
    }
    None
}
