//! `zab-core` in a deterministic world: time, network, disk and crashes come from one seed.
//!
//! The world ([`world::World`]) runs the very servers that `zab-node` runs, with virtual time, connections
//! as TCP gives them, and disks that do what fsync promises and no more. Whatever happens in it is looked at
//! by the [`properties`] after every step. What happens is drawn ([`run`]), or directed by hand ([`stage`]).
#![forbid(unsafe_code)]

pub mod coverage;
pub mod diagram;
pub mod dice;
pub mod disk;
pub mod explore;
pub mod load;
pub mod properties;
pub mod run;
pub mod scale;
pub mod script;
pub mod stage;
pub mod traces;
pub mod world;

pub use world::Bug;
