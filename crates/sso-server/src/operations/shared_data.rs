//! The map of values that the brokers of a session share.

use serde_json::{Map, Value};

use crate::{error::Error, operations::session_lookup::BrokerCall, server::Server, session::Session};

impl Server {
    /// Merges `changes` key by key into the session's data, for a broker, and returns all data; `null` removes a key.
    /// Refused if the session's user has changed since the broker's call.
    pub async fn merge_data(
        &self,
        call: &BrokerCall,
        changes: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Error> {
        call.user()?;
        let mut refusal = Error::NotAttached;
        let merge = |session: &mut Session| {
            if session.epoch != call.session.epoch {
                refusal = Error::UserChanged;
                return false;
            }
            for (key, value) in changes {
                match value {
                    Value::Null => session.data.remove(key),
                    value => session.data.insert(key.clone(), value.clone()),
                };
            }
            let fits = serde_json::to_vec(&session.data).is_ok_and(|json| json.len() <= Session::MAX_DATA);
            if !fits {
                refusal = Error::DataTooLarge;
            }
            fits
        };
        let merged = self.task_with(call.remaining).change(&call.session, merge).await?;
        merged.map(|session| session.data.clone()).ok_or(refusal)
    }
}
