//! Carries the bytes of one connection in one direction, as its link allows.
//!
//! A pump reads and writes whole buffers and never looks into them. While its link is open the bytes go
//! from one read straight into one write; they are queued only when a cut, or a receiver that does not
//! read, keeps them. Closes wait their turn behind the bytes: a cut link carries no FIN and no RST either.

use super::Cut;
use super::link::Link;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::Instant;

/// Bytes read at once.
const BUFFER_BYTES: usize = 64 * 1024;
/// How much a cut direction takes from its source before it leaves the rest to the kernel's buffers. What is
/// taken is counted as evidence; a source that sends more is blocked, as by any receiver that does not read.
const HELD_BYTES_MAX: usize = 1024 * 1024;
/// A throttled direction passes a slice of its rate this often.
const THROTTLE_SLICES_PER_SECOND: usize = 20;

/// The connection ends with a reset to both sides.
#[derive(Debug)]
pub(super) struct Aborted;

/// How the source ended its direction.
#[derive(Debug, Clone, Copy)]
enum Close {
    /// FIN: passed on as a half-close.
    Finished,
    /// RST: passed on as one.
    Reset,
}

/// Bytes on their way.
#[derive(Debug)]
struct Chunk {
    /// When they were read; a delay counts from here.
    arrived: Instant,
    data: Vec<u8>,
    /// How many of them are written already.
    written: usize,
}

/// When the head of the queue may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    At(Instant),
    /// Nothing is queued, or a blackhole keeps it.
    Never,
}

/// One direction of one connection.
#[derive(Debug)]
pub(super) struct Pump<'a> {
    link: &'a Link,
    cut: watch::Receiver<Option<Cut>>,
    buffer: Box<[u8]>,
    queue: VecDeque<Chunk>,
    queued_bytes: usize,
    close: Option<(Instant, Close)>,
    /// A throttled direction writes nothing before this.
    free_at: Instant,
}

impl<'a> Pump<'a> {
    /// A pump on `link` that has carried nothing.
    pub(super) fn new(link: &'a Link) -> Self {
        Self {
            link,
            cut: link.follow(),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            close: None,
            free_at: Instant::now(),
        }
    }

    /// Takes bytes that arrive before there is anywhere to carry them to, until its source ends.
    /// Cancel-safe: nothing read is lost.
    pub(super) async fn hold(&mut self, source: &mut ReadHalf<'_>) {
        while self.queued_bytes < HELD_BYTES_MAX {
            match source.read(&mut self.buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    self.link.count_held(count);
                    self.enqueue(0, count);
                }
            }
        }
        // Full: the rest stays in the kernel, and with it the end of the source.
        std::future::pending().await
    }

    /// Carries bytes until the source has ended and its end was passed on.
    ///
    /// # Errors
    /// [`Aborted`] when the connection has to end with a reset: the link resets it, the source reset it, the
    /// destination is gone, or the relay is closing.
    pub(super) async fn run(
        mut self,
        source: &mut ReadHalf<'_>,
        destination: &mut WriteHalf<'_>,
        reverse: &Link,
    ) -> Result<(), Aborted> {
        let mut before = None;
        loop {
            let cut = *self.cut.borrow_and_update();
            if cut == Some(Cut::Reset) {
                // The pump of the other direction ends with this one; its link counts here, if it resets too.
                self.link.resets_now();
                reverse.resets_now();
                return Err(Aborted);
            }
            if cut == Some(Cut::Blackhole) && before != cut {
                // What was on its way when the cut came is held by it.
                self.link.count_held(self.queued_bytes);
            }
            before = cut;
            let due = self.due(cut);
            if due == Due::Now && self.queue.is_empty() {
                return self.pass_close(destination).await;
            }
            let due_at = if let Due::At(instant) = due { Some(instant) } else { None };
            let room = self.queued_bytes < if cut.is_none() { 1 } else { HELD_BYTES_MAX };
            let written = tokio::select! {
                biased;
                changed = self.cut.changed() => if changed.is_ok() { continue } else { return Err(Aborted) },
                () = sleep_until(due_at) => continue,
                ready = destination.writable(), if due == Due::Now => ready.and_then(|()| self.write_head(cut, destination)),
                read = source.read(&mut self.buffer), if room && self.close.is_none() => {
                    self.take(&read, cut, destination)
                }
            };
            if written.is_err() {
                // The destination is gone. Its reset travels back on the other link, when that is open.
                reverse.opened().await;
                return Err(Aborted);
            }
        }
    }

    /// Takes what a read brought: passes it on at once on an open link, or queues it.
    fn take(
        &mut self,
        read: &io::Result<usize>,
        cut: Option<Cut>,
        destination: &WriteHalf<'_>,
    ) -> io::Result<()> {
        let count = match *read {
            Ok(0) => {
                self.close = Some((Instant::now(), Close::Finished));
                return Ok(());
            }
            Err(_) => {
                self.close = Some((Instant::now(), Close::Reset));
                return Ok(());
            }
            Ok(count) => count,
        };
        // A cut that was set before these bytes were sent has been seen by now, so it keeps them.
        let changed = self.cut.has_changed().unwrap_or(true);
        let mut passed = 0;
        if cut.is_none() && !changed && self.queue.is_empty() {
            passed = match destination.try_write(&self.buffer[..count]) {
                Ok(passed) => passed,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            self.link.count_passed(passed);
        } else if cut.is_some() && !self.goes_at_once(cut) {
            self.link.count_held(count);
        }
        self.enqueue(passed, count);
        Ok(())
    }

    /// Queues a part of the buffer.
    fn enqueue(&mut self, from: usize, to: usize) {
        if from < to {
            self.queue.push_back(Chunk {
                arrived: Instant::now(),
                data: self.buffer[from..to].to_vec(),
                written: 0,
            });
            self.queued_bytes += to - from;
        }
    }

    /// Whether bytes that arrive now would pass this cut without waiting.
    fn goes_at_once(&self, cut: Option<Cut>) -> bool {
        match cut {
            None => true,
            Some(Cut::Blackhole | Cut::Reset) => false,
            Some(Cut::Delay(ms)) => ms == 0,
            Some(Cut::Throttle(_)) => self.queue.is_empty() && self.free_at <= Instant::now(),
        }
    }

    /// When the head of the queue, or the close behind it, may go on.
    fn due(&self, cut: Option<Cut>) -> Due {
        let head = self.queue.front().map(|chunk| chunk.arrived);
        let Some(arrived) = head.or(self.close.map(|(arrived, _)| arrived)) else {
            return Due::Never;
        };
        let at = match cut {
            None => return Due::Now,
            Some(Cut::Blackhole | Cut::Reset) => return Due::Never,
            Some(Cut::Delay(ms)) => arrived + Duration::from_millis(u64::from(ms)),
            Some(Cut::Throttle(_)) => self.free_at,
        };
        if at <= Instant::now() { Due::Now } else { Due::At(at) }
    }

    /// Writes from the head of the queue what goes without blocking.
    fn write_head(&mut self, cut: Option<Cut>, destination: &WriteHalf<'_>) -> io::Result<()> {
        let Some(chunk) = self.queue.front_mut() else { return Ok(()) };
        let mut rest = &chunk.data[chunk.written..];
        let rate = if let Some(Cut::Throttle(rate)) = cut { Some(rate.max(1)) } else { None };
        if let Some(rate) = rate {
            let slice = usize::try_from(rate).unwrap_or(usize::MAX) / THROTTLE_SLICES_PER_SECOND;
            rest = &rest[..rest.len().min(slice.max(1))];
        }
        let passed = match destination.try_write(rest) {
            Ok(passed) => passed,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        chunk.written += passed;
        if chunk.written == chunk.data.len() {
            self.queue.pop_front();
        }
        self.queued_bytes -= passed;
        self.link.count_passed(passed);
        if let Some(rate) = rate {
            let takes = Duration::from_secs(1).mul_f64(passed as f64 / f64::from(rate));
            self.free_at = self.free_at.max(Instant::now()) + takes;
        }
        Ok(())
    }

    /// Passes the end of the source on.
    async fn pass_close(&self, destination: &mut WriteHalf<'_>) -> Result<(), Aborted> {
        match self.close {
            Some((_, Close::Finished)) | None => destination.shutdown().await.map_err(|_gone| Aborted),
            Some((_, Close::Reset)) => Err(Aborted),
        }
    }
}

/// Sleeps until the instant, or for ever.
async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
