//! Elections.
mod leader;
pub(crate) use leader::LeaderView;
