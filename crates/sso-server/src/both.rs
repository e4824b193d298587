//! Two places to look accounts or brokers up in.

use std::sync::Arc;

use async_trait::async_trait;
use sso_core::BrokerId;

use crate::{
    brokers::{Broker, Brokers, BrokersUnavailable},
    users::{Account, Users, UsersUnavailable},
};

/// Asks the first; whom that does not know, the second may.
#[derive(Clone, Debug)]
pub struct Both<A, B>(pub A, pub B);

#[async_trait]
impl<A: Users, B: Users> Users for Both<A, B> {
    async fn find(&self, username: &str) -> Result<Option<Account>, UsersUnavailable> {
        match self.0.find(username).await? {
            Some(account) => Ok(Some(account)),
            None => self.1.find(username).await,
        }
    }
}

#[async_trait]
impl<A: Brokers, B: Brokers> Brokers for Both<A, B> {
    async fn find(&self, id: &BrokerId) -> Result<Option<Arc<Broker>>, BrokersUnavailable> {
        match self.0.find(id).await? {
            Some(broker) => Ok(Some(broker)),
            None => self.1.find(id).await,
        }
    }
}
