//! The wire formats from outside: round trips, bytes of ZooKeeper's, and bytes of nobody's.
#![cfg(test)]

mod hostile;
mod roundtrip;
mod support;
mod zookeeper;
