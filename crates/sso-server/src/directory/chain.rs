//! A chain of two sources of accounts or brokers.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use sso_core::BrokerId;

use crate::{
    brokers::{Broker, Brokers, BrokersUnavailable},
    users::{Account, PasswordHash, SetOutcome, Users, UsersUnavailable},
};

/// Looks up in the first source, then in the second.
#[derive(Clone, Debug)]
pub struct Chain<A, B>(pub A, pub B);

impl<A: Users, B: Users> Chain<A, B> {
    /// The source of this account. An account that the first source hides is not changed in the second.
    async fn of(&self, username: &str) -> Result<&dyn Users, UsersUnavailable> {
        let is_first = self.0.find_now(username).await?.is_some();
        Ok(if is_first { &self.0 } else { &self.1 })
    }
}

#[async_trait]
impl<A: Users, B: Users> Users for Chain<A, B> {
    async fn find(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        match self.0.find(username).await? {
            Some(account) => Ok(Some(account)),
            None => self.1.find(username).await,
        }
    }

    async fn find_now(&self, username: &str) -> Result<Option<Arc<Account>>, UsersUnavailable> {
        match self.0.find_now(username).await? {
            Some(account) => Ok(Some(account)),
            None => self.1.find_now(username).await,
        }
    }

    async fn ping(&self) -> Result<(), UsersUnavailable> {
        self.0.ping().await?;
        self.1.ping().await
    }

    async fn can_set_password(&self, username: &str) -> Result<bool, UsersUnavailable> {
        self.of(username).await?.can_set_password(username).await
    }

    async fn set_password(
        &self,
        username: &str,
        expected: Option<&PasswordHash>,
        new: &PasswordHash,
    ) -> Result<SetOutcome, UsersUnavailable> {
        self.of(username).await?.set_password(username, expected, new).await
    }

    async fn can_set_attributes(&self, username: &str) -> Result<bool, UsersUnavailable> {
        self.of(username).await?.can_set_attributes(username).await
    }

    async fn set_attribute(
        &self,
        username: &str,
        name: &str,
        expected: Option<&Value>,
        value: &Value,
    ) -> Result<SetOutcome, UsersUnavailable> {
        self.of(username).await?.set_attribute(username, name, expected, value).await
    }
}

#[async_trait]
impl<A: Brokers, B: Brokers> Brokers for Chain<A, B> {
    async fn find(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, BrokersUnavailable> {
        match self.0.find(id).await? {
            Some(broker) => Ok(Some(broker)),
            None => self.1.find(id).await,
        }
    }
}
