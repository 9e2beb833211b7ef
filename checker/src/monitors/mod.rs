//! Monitors: near-linear methods, one for each kind of object whose outputs tell their own order.
//!
//! A monitor takes a problem and gives a [`Decision`](crate::Decision): an order of all operations, a
//! contradiction between a few of them, or *open* where its assumptions do not hold and the engine must decide.
//! Most stand on the block lemma (`blocks.rs`). None searches.

pub mod counter;
pub mod list;
pub mod lock;
pub mod queue;
pub mod register;
pub mod set;

mod growth;
mod ids;
mod index;
mod turns;

#[cfg(test)]
mod fuzz;
