//! The ticket that a good token becomes: a signed cookie, on its way to the next request.

use serde::{Deserialize, Serialize};
use sso_core::{base36, checksum::MacKey, random};
use subtle::ConstantTimeEq;

use crate::Arrival;

/// The clocks of two nodes may differ by so many seconds.
const AHEAD: i64 = 5;

/// What a good token said. A browser keeps it, sealed, until its next request.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its own name: it is good for one login.
    pub id: String,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub made: i64,
    /// Who arrives.
    pub username: String,
    /// The page that the user wants.
    pub page: String,
    /// From where.
    pub issuer: String,
}

impl Ticket {
    /// It is good for so long.
    pub const SECONDS: i64 = 60;

    /// The ticket of a user who arrived at `made`.
    pub fn new(arrival: Arrival, made: i64) -> Self {
        let Arrival { username, page, issuer } = arrival;
        Self { id: base36::exact(&random::bytes()), made, username, page: page.as_str().to_owned(), issuer }
    }

    /// From when on it is worth nothing, whatever clock tells the time.
    pub fn end(&self) -> i64 {
        self.made.saturating_add(Self::SECONDS + AHEAD)
    }
}

/// What signs the tickets of one application, and nothing else.
#[derive(Debug)]
pub struct TicketKey(MacKey);

impl TicketKey {
    /// The key of one application. `secret`: its own. `landing`: where its users arrive: another application of the
    /// same secret may trust others.
    pub fn new(secret: &[u8], landing: &str) -> Self {
        Self(MacKey::new(secret).derive(&format!("hand-off ticket {landing}")))
    }

    /// The ticket as a text, which only [`open`](Self::open) makes a ticket again: `<MAC>|<JSON>`.
    pub fn seal(&self, ticket: &Ticket) -> String {
        let json = serde_json::to_string(ticket).unwrap_or_default();
        format!("{}|{json}", self.mac(&json))
    }

    /// The ticket, if it was sealed here and its time is not up at `now`. Compares in constant time.
    pub fn open(&self, sealed: &str, now: i64) -> Option<Ticket> {
        let (mac, json) = sealed.split_once('|')?;
        if !bool::from(self.mac(json).as_bytes().ct_eq(mac.as_bytes())) {
            return None;
        }
        let ticket: Ticket = serde_json::from_str(json).ok()?;
        (-AHEAD..Ticket::SECONDS).contains(&now.saturating_sub(ticket.made)).then_some(ticket)
    }

    fn mac(&self, json: &str) -> String {
        base36::exact(&self.0.mac(&[json]))
    }
}

#[cfg(test)]
mod tests {
    use sso_core::FormKey;

    use super::*;
    use crate::LocalPath;

    const NOW: i64 = 1_800_000_000;
    const FORUM: &str = "https://forum.example.com/sso/landing";

    fn ticket() -> Ticket {
        let arrival =
            Arrival { username: "jackie".into(), page: LocalPath::root(), issuer: "https://shop.example.com".into() };
        Ticket::new(arrival, NOW)
    }

    #[test]
    fn a_ticket_is_good_for_a_minute_where_it_was_sealed_and_as_it_was_sealed() {
        let (key, ticket) = (TicketKey::new(b"secret", FORUM), ticket());
        let sealed = key.seal(&ticket);
        for now in [NOW - 5, NOW, NOW + 59] {
            assert_eq!(key.open(&sealed, now).as_ref(), Some(&ticket), "{now}");
        }
        for now in [NOW - 6, NOW + 60, i64::MIN, i64::MAX] {
            assert_eq!(key.open(&sealed, now), None, "{now}");
        }
        assert_eq!(TicketKey::new(b"secret", FORUM).open(&sealed, NOW), Some(ticket));
        assert_eq!(TicketKey::new(b"other secret", FORUM).open(&sealed, NOW), None);
        for other in ["https://shop.example.com/sso/landing", "https://forum.example.com/landing"] {
            assert_eq!(TicketKey::new(b"secret", other).open(&sealed, NOW), None, "another application's");
        }
        let (mac, json) = sealed.split_once('|').unwrap();
        // A MAC of the same secret for another use.
        let form = FormKey::new(b"secret").token(json, "", NOW);
        for forged in [
            sealed.replace("jackie", "admin1"),
            sealed.replace("1800000000", "1800000030"),
            format!("|{json}"),
            format!("{form}|{json}"),
            format!("{}|{json}", form.split_once('.').unwrap().1),
            mac.to_owned(),
            json.to_owned(),
            String::new(),
        ] {
            assert_eq!(key.open(&forged, NOW), None, "{forged}");
        }
    }
}
