//! What the templates of all sites need, as plain data: no decisions, no I/O.

use serde_json::Value;
use sso_core::wire;

/// The themes that a visitor can choose, as (value, label). `static/sso.css` has the colours,
/// `static/ajax-broker.js` the same values.
pub const THEMES: [(&str, &str); 4] =
    [("plain", "Plain"), ("forest", "Forest"), ("sunset", "Sunset"), ("ocean", "Ocean")];

/// What every page has around its own content.
pub struct Layout<'a> {
    /// Which colours the site has: `server`, `alice`, `greg` or `julius`.
    pub site: &'a str,
    /// The site's name as people read it: `Alice`.
    pub name: &'a str,
    /// The theme found in the shared session, as it is: an unknown one is shown as `plain`.
    pub theme: &'a str,
    /// All the sites, this one included.
    pub sites: Vec<SiteLink<'a>>,
    /// Warns before the shared session ends, if somebody is logged in; `None` where a site has a session of its own.
    pub popup: Option<Popup<'a>>,
}

/// The popup that warns before the session ends: `static/session-popup.js`.
#[derive(Clone, Copy)]
pub struct Popup<'a> {
    /// What the page's own address, encoded, is appended to, to log in and come back: `/sso/login?to=` at a broker,
    /// `/login?return_url=` at the server.
    pub login: &'a str,
}

impl Layout<'_> {
    /// The chosen theme as (value, label). Any site may write to the shared data, so it is not trusted.
    pub fn chosen(&self) -> (&'static str, &'static str) {
        THEMES.into_iter().find(|(value, _)| *value == self.theme).unwrap_or(("plain", "Plain"))
    }

    /// The sites that share the session: logged in at one is logged in at all of them.
    pub fn sharing(&self) -> Vec<&SiteLink<'_>> {
        self.sites.iter().filter(|site| site.shares_session).collect()
    }

    /// The linked applications, each with a session of its own.
    pub fn linked(&self) -> Vec<&SiteLink<'_>> {
        self.sites.iter().filter(|site| !site.shares_session).collect()
    }

    /// Both groups with their names, for the navigation; an empty one is left out.
    pub fn groups(&self) -> Vec<(&'static str, Vec<&SiteLink<'_>>)> {
        let both = [("Sites that share the session", self.sharing()), ("Linked applications", self.linked())];
        both.into_iter().filter(|(_, sites)| !sites.is_empty()).collect()
    }
}

/// A site, in the navigation of all pages and in the list on the server's home page.
pub struct SiteLink<'a> {
    /// Its name as people read it.
    pub name: &'a str,
    /// Its home page.
    pub url: &'a str,
    /// One sentence on what it shows.
    pub about: &'a str,
    /// Is it the site that the page belongs to?
    pub current: bool,
    /// Does it take part in the shared session? A linked application has a session of its own.
    pub shares_session: bool,
}

/// A link that leads on from an error page.
pub struct PageLink<'a> {
    /// What it says.
    pub label: &'a str,
    /// Where it goes.
    pub href: &'a str,
}

/// Who is logged in.
pub struct UserView<'a> {
    /// The name they log in with.
    pub username: &'a str,
    /// Their attributes that this site may see, as (label, text), in the order to show them.
    pub attributes: Vec<(String, String)>,
}

/// The label of the attribute `fullname`.
pub const FULL_NAME: &str = "Full name";
/// The label of the attribute `email`.
pub const EMAIL: &str = "Email";

impl<'a> UserView<'a> {
    /// Shows a user. An attribute that has parts, such as the profile, is shown part by part. `static/ajax-broker.js`
    /// has the same labels.
    pub fn of(user: &'a wire::User) -> Self {
        let label = |name: &str| match name {
            "fullname" => FULL_NAME.to_owned(),
            "email" => EMAIL.to_owned(),
            name => name.to_owned(),
        };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let rows = user.attributes.iter().flat_map(|(name, value)| match value {
            Value::Object(parts) => {
                parts.iter().map(|(part, value)| (format!("{} ({name})", label(part)), text(value))).collect()
            }
            value => vec![(label(name), text(value))],
        });
        Self { username: &user.username, attributes: rows.filter(|(_, text)| !text.is_empty()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What templates must not say, each with what they say instead.
    const AVOIDED: [(&str, &str); 8] = [
        ("sign in", "log in"),
        ("signed in", "logged in"),
        ("sign out", "log out"),
        ("signed out", "logged out"),
        ("e-mail", "email"),
        ("go on", "continue"),
        ("please", ""),
        ("\u{2019}", "'"),
    ];

    #[test]
    fn one_word_for_one_thing() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut dirs = vec![root.join("templates")];
        let mut read = 0;
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap().to_lowercase();
                read += 1;
                for (avoided, instead) in AVOIDED {
                    assert!(!text.contains(avoided), "{}: {avoided:?}, not {instead:?}", path.display());
                }
            }
        }
        assert!(read > 20, "{read}");
    }
}
