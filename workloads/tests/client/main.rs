//! Clients against servers of the test's own, on the loopback.

// `cfg(test)` lets helpers unwrap as tests may.
#[cfg(test)]
mod connection;
#[cfg(test)]
mod register;
#[cfg(test)]
mod server;
