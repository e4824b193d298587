//! The map of values that the brokers of a session share.

use serde_json::{Map, Value};
use sso_core::wire::BearerErrorCode;

use crate::{
    parts::{ChangeError, Parts},
    resume::Resumed,
};

/// The size of a session's data, as JSON, in bytes.
pub const MAX_DATA: usize = 16 * 1024;

/// Why the data was not changed; none of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// It would be more than [`MAX_DATA`].
    #[error("Session data is limited to {} KiB", MAX_DATA / 1024)]
    TooLarge,
    /// The session went away meanwhile.
    #[error("{}", BearerErrorCode::NotAttached.message())]
    NoSession,
    /// Somebody is logged in who may not use this broker.
    #[error("{}", BearerErrorCode::UserNotAllowed.message())]
    UserNotAllowed,
    /// Someone logged in or out meanwhile; the values may be meant for somebody else.
    #[error("The user of the session has changed")]
    UserChanged,
    /// The store does not answer.
    #[error("The server is temporarily unavailable. Try again later.")]
    Unavailable,
}

/// Merges `changes` key by key, for a broker; `null` removes a key. What was meant for the user of the session that it called for is not given to another.
pub(crate) async fn merge(
    parts: &Parts,
    resumed: &Resumed,
    changes: &Map<String, Value>,
) -> Result<Map<String, Value>, DataError> {
    if resumed.is_barred {
        return Err(DataError::UserNotAllowed);
    }
    let seen = &resumed.session;
    let mut refusal = DataError::UserChanged;
    let changed = parts.change(seen, |session| {
        if session.epoch != seen.epoch {
            return false;
        }
        for (key, value) in changes {
            match value {
                Value::Null => session.data.remove(key),
                value => session.data.insert(key.clone(), value.clone()),
            };
        }
        let fits = serde_json::to_vec(&session.data).is_ok_and(|json| json.len() <= MAX_DATA);
        if !fits {
            refusal = DataError::TooLarge;
        }
        fits
    });
    match changed.await {
        Ok(session) => Ok(session.data.clone()),
        Err(ChangeError::Abandoned) => Err(refusal),
        Err(ChangeError::Gone) => Err(DataError::NoSession),
        Err(ChangeError::Unavailable(_)) => Err(DataError::Unavailable),
    }
}
