//! What writers share: a buffer in front of the destination, and numbers put into it.

use std::io::{self, Write};

/// Collects this much before it is written.
const CHUNK: usize = 1 << 16;

/// A buffered destination.
pub(super) struct Out<'w> {
    to: &'w mut dyn Write,
    /// What is not yet written.
    pub(super) buffer: Vec<u8>,
}

impl<'w> Out<'w> {
    pub(super) fn new(to: &'w mut dyn Write) -> Self {
        Self { to, buffer: Vec::with_capacity(CHUNK * 2) }
    }

    /// Ends a line.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        self.buffer.push(b'\n');
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    /// Writes what was collected.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Puts a number.
pub(super) fn unsigned(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Puts a number.
pub(super) fn integer(out: &mut Vec<u8>, n: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}
