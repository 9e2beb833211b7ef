//! `zabchaos`: a Jepsen-style chaos tester.
mod clock;
mod cluster;
mod election;
mod nemesis;
mod network;
mod plan;
fn main() {}
