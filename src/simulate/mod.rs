//! Runs without processes: the nodes' protocol in a deterministic world ([`zab_sim`]), with virtual time.
//!
//! Three ways. A planned run ([`live`]) is `zabchaos test` on virtual nodes: the same plan, planner, workload,
//! history, judgement and report; only what a fault does and how it is known is told here. A swarm
//! ([`swarm()`]) draws whole worlds from their seeds and looks for one that breaks a promise. Exploring
//! ([`explore()`]) goes through small worlds in every order.
//!
//! Rooms: `live` the life of a planned run · `stage` the world and who uses it, passing time · `nemesis` the
//! faults of a plan, `strikes` what they do to a world and what shows it · `swarm` many worlds, `tally` what
//! they came to · `extras` what other rooms of the simulator add to a single world · `explore` every order.
//!
//! A planned run that found nothing to say is silent; nothing here prints but the swarm and exploring.

mod explore;
mod extras;
mod live;
mod nemesis;
mod stage;
mod strikes;
mod swarm;
mod tally;

pub(crate) use explore::explore;
pub(crate) use live::live;
pub(crate) use swarm::swarm;

/// us of a world as ns of a run.
fn ns(us: u64) -> u64 {
    us * 1_000
}
