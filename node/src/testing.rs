//! What the ports' tests share: a runtime like the server's, and waiting with a deadline.

use crate::input::Input;
use crate::tracer::Log;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use zab_core::Event;
use zab_wire::ServerId;

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Where lines for people go.
pub(crate) const LOG: Log = Log { me: ServerId(0) };

/// Runs `test` on one thread, as the server does.
pub(crate) fn on_one_thread(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(async { timeout(PATIENCE * 2, test).await.expect("the test hangs") });
}

/// A port of the kernel's choice.
pub(crate) async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The next event.
pub(crate) async fn next(queue: &mut UnboundedReceiver<Input>) -> Event {
    match timeout(PATIENCE, queue.recv()).await.expect("no event came").unwrap() {
        Input::Event(event) => event,
        Input::Word { word, .. } => panic!("an event was expected, not the word {}", word.name()),
    }
}
