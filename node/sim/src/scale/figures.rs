//! Figures as JSON: what tables and plots are made of, and what a test holds a new measurement against.

use super::{Election, Latency, Measured, Scale};
use crate::world::Purpose;
use serde_json::{Value, json};

/// A configuration and what was measured with it.
#[must_use]
pub fn figures(scale: &Scale, measured: &Measured) -> Value {
    let Measured { cold, killed, power, writes, .. } = measured;
    json!({
        "place": scale.place.name(),
        "voters": scale.voters,
        "observers": scale.observers,
        "tick_ms": scale.tick_ms,
        "init_limit": scale.init_limit,
        "sync_limit": scale.sync_limit,
        "finalize_ms": scale.finalize_ms,
        "cold": election(scale, cold),
        "killed": election(scale, killed),
        "power": election(scale, power),
        "write": {
            "messages": hundredths(writes.messages_per_100),
            "bytes": writes.bytes_per_write,
            "leader": latency(writes.leader),
            "follower": latency(writes.follower),
            "observer": writes.observer.map(latency),
        },
        "idle_messages_per_s": measured.idle_messages_per_s,
        "idle_bytes_per_s": measured.idle_bytes_per_s,
    })
}

fn election(scale: &Scale, election: &Election) -> Value {
    let sent = |purpose| {
        let traffic = election.sent.of(purpose);
        json!([traffic.messages, traffic.bytes])
    };
    json!({
        "detect_us": election.detect_us,
        "elect_us": election.elect_us,
        "establish_us": election.establish_us,
        "first_write_us": election.first_write_us,
        "outage_us": election.outage_us(),
        "voters_serve_us": election.voters_us,
        "all_serve_us": election.all_us,
        "rounds": election.rounds,
        "leaderships": election.leaderships,
        "leader_in": scale.place.region_name(election.leader),
        "votes": sent(Purpose::Election),
        "discovery": sent(Purpose::Discovery),
        "synchronization": sent(Purpose::Synchronization),
        "broadcast": sent(Purpose::Broadcast),
        "pings": sent(Purpose::Ping),
    })
}

fn latency(latency: Latency) -> Value {
    json!({ "p50_us": latency.p50_us, "p99_us": latency.p99_us })
}

fn hundredths(number: u64) -> Value {
    json!(format!("{}.{:02}", number / 100, number % 100))
}
