//! The protocol, one test per clause: ZAB's phases as the papers and ZooKeeper's sources state them, the errors
//! that ZooKeeper had, what became of a broken peer, and the planted bugs.
//!
//! Every test directs a [`stage`]: the node's own core and storage in a world in which nothing takes time but what
//! the protocol waits for, and in which every property is looked at after every step. What a test says is what
//! happens, and in this order; nothing is drawn.

// `cfg(test)` lets helpers unwrap as tests may.
#[cfg(test)]
mod broadcast;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod election;
#[cfg(test)]
mod fencing;
#[cfg(test)]
mod observers;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod synchronization;
