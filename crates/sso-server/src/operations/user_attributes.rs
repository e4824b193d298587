//! A user's account as it is now, and the attributes that pages of the server keep with it.

use serde_json::Value;
use sso_core::wire::User;

use crate::{error::Unavailable, server::Server, users::SetOutcome};

impl Server {
    /// The user of this name as their account is now, past any cache: for a page that shows what was just saved, at
    /// whatever node. `None`: there is no such account.
    pub async fn user_now(&self, username: &str) -> Result<Option<User>, Unavailable> {
        let account = self.task().look_up(self.0.users.find_now(username)).await?;
        Ok(account.map(|account| account.user.clone()))
    }

    /// Whether something can be kept with the account of this name.
    pub async fn can_set_attributes(&self, username: &str) -> Result<bool, Unavailable> {
        self.task().look_up(self.0.users.can_set_attributes(username)).await
    }

    /// Keeps what a page of the server has of a user with their account, as one attribute, if what is there now is as
    /// `expected` (`None`: there is none). A broker is told of it if its `attributes` say so.
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
