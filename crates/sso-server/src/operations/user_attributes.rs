//! A user's account as it is now, and the attributes that pages of the server keep with it.

use serde_json::Value;
use sso_core::wire::User;

use crate::{error::Unavailable, server::Server, users::SetOutcome};

impl Server {
    /// The user as their account is now, past any cache: for a page that shows what was just saved, on any node. `None`
    /// if the account does not exist.
    pub async fn user_now(&self, username: &str) -> Result<Option<User>, Unavailable> {
        let account = self.task().look_up(self.0.users.find_now(username)).await?;
        Ok(account.map(|account| account.user.clone()))
    }

    /// Whether attributes can be set on the account of this name.
    pub async fn can_set_attributes(&self, username: &str) -> Result<bool, Unavailable> {
        self.task().look_up(self.0.users.can_set_attributes(username)).await
    }

    /// Sets one attribute of the account, if its present value is `expected` (`None`: it is absent). Brokers see it if
    /// their `attributes` include it.
    pub async fn set_attribute(
        &self,
        username: &str,
        name: &str,
        expected: Option<&Value>,
        value: &Value,
    ) -> Result<SetOutcome, Unavailable> {
        self.task().look_up(self.0.users.set_attribute(username, name, expected, value)).await
    }
}
