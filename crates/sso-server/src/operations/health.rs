//! Whether the server can work: for `/readyz`.

use crate::{error::Unavailable, server::Server};

impl Server {
    /// Whether the store answers, and what finds users.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        let task = self.task();
        task.ask(self.0.store.ping()).await?;
        task.look_up(self.0.users.ping()).await
    }
}
