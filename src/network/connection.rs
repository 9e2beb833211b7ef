//! One connection through the relay: the opener's socket, the real server's socket, two pumps.
//!
//! A TCP handshake needs both directions. So while either link is a blackhole, a new connection is accepted
//! from the opener (who sees it open) but the server is not dialled: it hears nothing of it, not even that
//! somebody knocked. An opener that gives up before the links are healed leaves no trace at the server.

use super::Cut;
use super::link::Link;
use super::pump::Pump;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Where the connections that one relay port accepts go to.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// The server's real address.
    pub(super) to: SocketAddr,
    /// The link of the bytes from the opener to the server.
    pub(super) forward: Arc<Link>,
    /// The link of the bytes from the server to the opener.
    pub(super) backward: Arc<Link>,
}

/// Carries an accepted connection to its end.
pub(super) async fn carry(mut opener: TcpStream, route: Route) {
    // Latency is the subject under test; the relay must not add Nagle's to it. Failure costs only time.
    let _ = opener.set_nodelay(true);
    let mut forward = Pump::new(&route.forward);
    if !handshake(&mut opener, &mut forward, &route).await {
        abort(&opener);
        return;
    }
    let Ok(mut server) = TcpStream::connect(route.to).await else {
        // Nobody listens: the opener, who believes the connection open, learns it by a reset.
        route.backward.opened().await;
        abort(&opener);
        return;
    };
    let _ = server.set_nodelay(true);
    let outcome = {
        let (mut opener_reads, mut opener_writes) = opener.split();
        let (mut server_reads, mut server_writes) = server.split();
        let backward = Pump::new(&route.backward);
        tokio::try_join!(
            forward.run(&mut opener_reads, &mut server_writes, &route.backward),
            backward.run(&mut server_reads, &mut opener_writes, &route.forward),
        )
    };
    if outcome.is_err() {
        abort(&opener);
        abort(&server);
    }
}

/// Waits until both links would let a handshake through. False: reset, or the opener gave up.
async fn handshake(opener: &mut TcpStream, forward: &mut Pump<'_>, route: &Route) -> bool {
    let mut out = route.forward.follow();
    let mut back = route.backward.follow();
    let (mut source, _) = opener.split();
    loop {
        let cuts = (*out.borrow_and_update(), *back.borrow_and_update());
        if cuts.0 == Some(Cut::Reset) || cuts.1 == Some(Cut::Reset) {
            route.forward.resets_now();
            route.backward.resets_now();
            return false;
        }
        if cuts.0 != Some(Cut::Blackhole) && cuts.1 != Some(Cut::Blackhole) {
            return true;
        }
        tokio::select! {
            biased;
            changed = out.changed() => if changed.is_err() { return false },
            changed = back.changed() => if changed.is_err() { return false },
            () = forward.hold(&mut source) => return false,
        }
    }
}

/// Makes the socket's end a reset. It fails only when the socket has already ended.
fn abort(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
