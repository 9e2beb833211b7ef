//! The monitors against brute force, event by event, on small random histories, seeded.

mod counter;
mod frontier;
mod harness;
mod histories;
mod lines;
mod list;
mod lock;
mod memory;
mod register;
mod set;
mod stamps;
