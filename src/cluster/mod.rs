//! The cluster under test: real processes of this machine.
mod id;
pub(crate) use id::NodeId;
