//! Writing `history.jsonl`: lines are made in the loop, and put on disk by a thread of their own.
//!
//! The thread exists because the nodes under test share the disk, and a loop that waits for a busy
//! disk would measure itself. After a kill -9 the file holds whole lines but perhaps the last. The
//! form of a line is that of [`checker::history::Op`]; it is written from borrowed parts, since this
//! happens twice per operation.

use crate::clock::RunClock;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use workloads::{Completion, Invocation, Status};
use zab_wire::Zxid;

/// How much is collected before it goes to the thread, even if no flush is due.
const CHUNK: usize = 64 * 1024;

/// Appends to a history.
pub(super) struct HistoryWriter {
    clock: RunClock,
    next_index: u64,
    buffer: Vec<u8>,
    /// `None` once the end was announced to the thread.
    chunks: Option<mpsc::Sender<Vec<u8>>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl HistoryWriter {
    /// Creates the file, which must not exist.
    pub(super) fn create(path: &Path, clock: RunClock) -> io::Result<Self> {
        Self::append_to(File::create_new(path)?, clock)
    }

    /// Writes to an open file.
    pub(super) fn append_to(mut file: File, clock: RunClock) -> io::Result<Self> {
        let (chunks, inbox) = mpsc::channel::<Vec<u8>>();
        let thread = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || inbox.iter().try_for_each(|chunk| file.write_all(&chunk)))?;
        let buffer = Vec::with_capacity(CHUNK);
        Ok(Self { clock, next_index: 0, buffer, chunks: Some(chunks), thread: Some(thread) })
    }

    /// An operation is about to be handed to a worker; returns the line's index.
    pub(super) fn invoke(&mut self, process: i64, node: &str, invocation: &Invocation) -> u64 {
        self.line(&Line {
            index: self.next_index,
            time: self.clock.now_ns(),
            process: Process::Client(process),
            kind: "invoke",
            f: invocation.f,
            key: invocation.key.as_deref(),
            value: &invocation.value,
            error: None,
            node: Some(node),
            zxid: None,
            final_read: invocation.final_read,
        })
    }

    /// An operation ended; returns the line's index.
    pub(super) fn complete(
        &mut self,
        process: i64,
        node: &str,
        invocation: &Invocation,
        completion: &Completion,
    ) -> u64 {
        self.line(&Line {
            index: self.next_index,
            time: self.clock.now_ns(),
            process: Process::Client(process),
            kind: match completion.status {
                Status::Ok => "ok",
                Status::Fail => "fail",
                Status::Info => "info",
            },
            f: invocation.f,
            key: invocation.key.as_deref(),
            value: &completion.value,
            error: completion.error.as_deref(),
            node: Some(node),
            zxid: completion.zxid,
            final_read: invocation.final_read,
        })
    }

    /// The nemesis did something.
    pub(super) fn nemesis(&mut self, f: &str, value: &Value) {
        self.line(&Line {
            index: self.next_index,
            time: self.clock.now_ns(),
            process: Process::Nemesis,
            kind: "info",
            f,
            key: None,
            value,
            error: None,
            node: None,
            zxid: None,
            final_read: false,
        });
    }

    /// Gives everything written so far to the thread.
    ///
    /// # Errors
    /// When an earlier write to the file failed.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        match &self.chunks {
            Some(chunks) if chunks.send(chunk).is_ok() => Ok(()),
            // The thread ends early only with an error.
            Some(_) | None => Err(ended(self.thread.take().map(JoinHandle::join)).err().unwrap_or_else(gone)),
        }
    }

    /// Writes the rest; returns how many lines there are.
    ///
    /// # Errors
    /// When any write to the file failed.
    pub(super) async fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        self.chunks = None;
        let thread = self.thread.take();
        let joined = tokio::task::spawn_blocking(move || thread.map(JoinHandle::join)).await;
        ended(joined.unwrap_or(None))?;
        Ok(self.next_index)
    }

    fn line(&mut self, line: &Line<'_>) -> u64 {
        serde_json::to_writer(&mut self.buffer, line)
            .expect("numbers, texts and JSON values can always be written to memory");
        self.buffer.push(b'\n');
        self.next_index += 1;
        if self.buffer.len() >= CHUNK {
            // An error stays with the thread and is met at the next flush, at most 50 ms away.
            let _later = self.flush();
        }
        self.next_index - 1
    }
}

/// A run that is given up half-way still leaves all it knows.
impl Drop for HistoryWriter {
    fn drop(&mut self) {
        // Errors have been, or cannot be, told.
        let _written = self.flush();
        self.chunks = None;
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// How the thread ended.
fn ended(joined: Option<std::thread::Result<io::Result<()>>>) -> io::Result<()> {
    match joined {
        Some(Ok(written)) => written,
        Some(Err(_)) | None => Err(gone()),
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that writes the history is gone")
}

/// A line, borrowed. Its fields are those of [`checker::history::Op`], in the same order.
#[derive(Serialize)]
struct Line<'a> {
    index: u64,
    time: u64,
    process: Process,
    #[serde(rename = "type")]
    kind: &'static str,
    f: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    value: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hex")]
    zxid: Option<Zxid>,
    #[serde(rename = "final", skip_serializing_if = "std::ops::Not::not")]
    final_read: bool,
}

enum Process {
    Client(i64),
    Nemesis,
}

impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Client(process) => serializer.serialize_i64(*process),
            Self::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn hex<S: Serializer>(zxid: &Option<Zxid>, serializer: S) -> Result<S::Ok, S::Error> {
    match zxid {
        Some(zxid) => serializer.collect_str(zxid),
        None => serializer.serialize_none(),
    }
}
