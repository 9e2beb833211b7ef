//! Carries any workload's operations out over real connections: the steps are the workload's, the
//! connection and the limits are this file's.

use super::Connection;
use crate::exchange::{Exchange, Operations, Step};
use crate::{BoxFuture, Client, Completion, Connector, Error, Invocation, Timeouts};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Opens clients that carry out a workload's operations.
pub struct Clients {
    operations: Arc<dyn Operations>,
}

impl Clients {
    /// Clients for these operations.
    #[must_use]
    pub fn new(operations: Arc<dyn Operations>) -> Self {
        Self { operations }
    }
}

impl Connector for Clients {
    fn connect(
        &self,
        address: SocketAddr,
        timeouts: Timeouts,
    ) -> BoxFuture<'_, Result<Box<dyn Client>, Error>> {
        Box::pin(async move {
            let connection = Connection::connect(address, timeouts.session, timeouts.connect).await?;
            let operations = Arc::clone(&self.operations);
            let client: Box<dyn Client> =
                Box::new(Carrier { connection, operations, limit: timeouts.operation });
            Ok(client)
        })
    }
}

/// Carries the operations out on one session.
struct Carrier {
    connection: Connection,
    operations: Arc<dyn Operations>,
    limit: Duration,
}

impl Carrier {
    /// The first step has the whole limit; `limit_of_next` says what a later one has.
    async fn carry_out<T>(
        &mut self,
        mut exchange: Box<dyn Exchange<Output = T>>,
        limit_of_next: impl Fn() -> Duration,
    ) -> T {
        let mut limit = self.limit;
        let mut requests = exchange.begin();
        loop {
            let answers = self.connection.pipeline(requests, limit).await;
            requests = match exchange.answered(answers) {
                Step::Ask(next) => next,
                Step::Done(output) => return output,
            };
            limit = limit_of_next();
        }
    }
}

impl Client for Carrier {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion> {
        Box::pin(async move {
            let exchange = self.operations.invoke(invocation);
            // All steps are one operation, with one limit.
            let ends = Instant::now() + self.limit;
            self.carry_out(exchange, || ends.duration_since(Instant::now())).await
        })
    }

    fn prepare<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let exchange = self.operations.prepare(key);
            let limit = self.limit;
            self.carry_out(exchange, || limit).await
        })
    }

    fn idle(&mut self) -> BoxFuture<'_, Error> {
        Box::pin(self.connection.idle())
    }

    fn is_broken(&self) -> bool {
        self.connection.is_broken()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(self.connection.close())
    }
}
