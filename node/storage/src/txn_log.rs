//! One log file: `log.<hex zxid of its first transaction>` (ZooKeeper's `FileTxnLog`), read and judged.
//!
//! `ZKLG | int 2 | long 0`, then records `long adler32 | int len | len bytes | 0x42`, then zeros. The checksum
//! covers the `len` bytes, which are a transaction ([`zab_wire::txn`]) verbatim as it was proposed.
//!
//! # Where a file ends
//!
//! Reading stops at the first place where no whole record stands: the end of the file, zeros, a record cut
//! short, a missing 0x42, a wrong checksum. That is a *torn tail*, the trace of a crash during a write whose
//! fdatasync never returned, so nothing there was acknowledged. But a damaged record that has a whole one
//! *behind* it was once durable: dropping it would drop acknowledged transactions, and is refused. (A power
//! failure may write the pages of one unfinished batch out of order and look the same; it cannot be told
//! apart in this format, so it is refused as well: a stopped server is better than a server that forgets.)
//!
//! Not here: writing (`log_writer`), and what the records mean together (`recovery`).

use crate::error::StorageError;
use crate::files::{DataDir, NumberedFile};
use crate::folder::Folder;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use zab_core::LogEntry;
use zab_wire::{Zxid, txn};

const PREFIX: &str = "log.";

/// `ZKLG`, version 2, database id 0.
pub(super) const HEADER: [u8; 16] = *b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0";

/// Checksum and length.
const RECORD_HEAD: usize = 8 + 4;
const RECORD_END: u8 = 0x42;

/// The name of the log file whose first transaction is `first`.
pub(super) fn name(first: Zxid) -> String {
    format!("{PREFIX}{:x}", first.to_bits())
}

/// All log files, oldest first.
pub(super) fn list<F: Folder>(dir: &DataDir<F>) -> Result<Vec<NumberedFile>, StorageError> {
    dir.numbered(PREFIX)
}

/// Appends one record to `out`.
pub(super) fn encode(transaction: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(transaction.len()).expect("every limit keeps transactions far below 2^31 bytes");
    out.extend_from_slice(&u64::from(adler2::adler32_slice(transaction)).to_be_bytes());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(transaction);
    out.push(RECORD_END);
}

/// What one file holds.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) name: String,
    /// Where it lies, for messages.
    pub(super) path: PathBuf,
    /// Its whole records, in the order they stand there.
    pub(super) records: Vec<Record>,
    /// Behind the last whole record; 0 when not even the header is whole.
    pub(super) end: u64,
    /// Whether reading stopped at a record that no write cut short leaves behind: it was changed later.
    pub(super) damaged: bool,
}

/// One record and where it stands.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) entry: LogEntry,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Reads a file up to its end or torn tail.
///
/// # Errors
/// I/O, or [`StorageError::CorruptLog`] when a whole record stands behind a damaged place.
pub(super) fn read<F: Folder>(dir: &DataDir<F>, file: &NumberedFile) -> Result<LogFile, StorageError> {
    let path = &dir.file(&file.name);
    let bytes = dir.read(&file.name)?;
    let mut log =
        LogFile { name: file.name.clone(), path: path.clone(), records: Vec::new(), end: 0, damaged: false };
    let stop = if bytes.starts_with(&HEADER) {
        log.end = HEADER.len() as u64;
        read_records(path, &bytes, &mut log)?
    } else {
        unwritten_header(path, &bytes)?
    };
    log.damaged = match stop {
        Stop::End => false,
        Stop::Torn(_) => !is_cut_short(&bytes[position(log.end)..]),
        Stop::BadChecksum { .. } => true,
    };
    check_name(file, &log)?;
    refuse_if_records_follow(path, &bytes, &log, stop)?;
    Ok(log)
}

fn check_name(file: &NumberedFile, log: &LogFile) -> Result<(), StorageError> {
    match log.records.first() {
        Some(first) if first.entry.zxid != file.zxid => Err(StorageError::CorruptLog {
            path: log.path.clone(),
            offset: first.start,
            reason: format!("the first transaction is {}, which is not what the name says", first.entry.zxid),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Why no (further) record can be read at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The file ends here, or only zeros follow.
    End,
    /// Something stands here, but not a whole record.
    Torn(&'static str),
    /// A record stands here but for its checksum; `next` is where one behind it would begin.
    BadChecksum { next: usize },
}

/// A file may be created and its header not yet written: then it is short, or zeros stand there. Anything
/// else is not one of our files, and nothing may be dropped from it.
fn unwritten_header(path: &Path, bytes: &[u8]) -> Result<Stop, StorageError> {
    if bytes.iter().zip(HEADER).all(|(found, wanted)| *found == wanted || *found == 0) {
        return Ok(Stop::Torn("the file's header is missing"));
    }
    let reason = "the file does not begin with the header of a ZooKeeper log".to_owned();
    Err(StorageError::CorruptLog { path: path.to_owned(), offset: 0, reason })
}

fn read_records(path: &Path, bytes: &[u8], log: &mut LogFile) -> Result<Stop, StorageError> {
    let mut at = HEADER.len();
    loop {
        let (transaction, next) = match record_at(bytes, at) {
            Err(stop) => return Ok(stop),
            Ok(whole) => whole,
        };
        let start = at as u64;
        let zxid = txn::zxid_of(transaction).map_err(|error| StorageError::CorruptLog {
            path: path.to_owned(),
            offset: start,
            reason: format!("the record's checksum is right, but it is no transaction: {error}"),
        })?;
        // Copied, so that one kept entry does not keep the whole file in memory.
        let entry = LogEntry { zxid, txn: Bytes::copy_from_slice(transaction) };
        log.records.push(Record { entry, start, end: next as u64 });
        log.end = next as u64;
        at = next;
    }
}

/// The transaction at `at`, and where the next record begins.
fn record_at(bytes: &[u8], at: usize) -> Result<(&[u8], usize), Stop> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((head, rest)) = rest.split_first_chunk::<RECORD_HEAD>() else {
        return Err(if rest.iter().all(|byte| *byte == 0) {
            Stop::End
        } else {
            Stop::Torn("the file ends within a record's head")
        });
    };
    let [c0, c1, c2, c3, c4, c5, c6, c7, l0, l1, l2, l3] = *head;
    let checksum = u64::from_be_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
    let len = match usize::try_from(i32::from_be_bytes([l0, l1, l2, l3])) {
        Ok(0) if checksum == 0 => return Err(Stop::End),
        Ok(0) => return Err(Stop::Torn("a record of length 0 has a checksum")),
        Ok(len) => len,
        Err(_negative) => return Err(Stop::Torn("a record's length is negative")),
    };
    let Some((transaction, rest)) = rest.split_at_checked(len) else {
        return Err(Stop::Torn("a record is longer than the file"));
    };
    match rest.first() {
        Some(&RECORD_END) => {}
        Some(_) | None => return Err(Stop::Torn("a record does not end with 0x42")),
    }
    let next = at + RECORD_HEAD + len + 1;
    if checksum == u64::from(adler2::adler32_slice(transaction)) {
        Ok((transaction, next))
    } else {
        Err(Stop::BadChecksum { next })
    }
}

/// Whether the beginning of a record stands here and nothing behind it, as a write that was cut short leaves it.
fn is_cut_short(rest: &[u8]) -> bool {
    let used = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let Some((head, written)) = rest[..used].split_first_chunk::<RECORD_HEAD>() else { return true };
    let [c0, c1, c2, c3, c4, c5, c6, c7, l0, l1, l2, l3] = *head;
    let Ok(len) = usize::try_from(i32::from_be_bytes([l0, l1, l2, l3])) else { return false };
    if written.len() > len {
        return false;
    }
    // A whole record with a greater length looks like a part of a longer one.
    let checksum = u64::from_be_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
    let is_whole = |transaction| checksum == u64::from(adler2::adler32_slice(transaction));
    !matches!(written.split_last(), Some((&RECORD_END, transaction)) if is_whole(transaction))
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("the file was read into memory")
}

fn refuse_if_records_follow(
    path: &Path,
    bytes: &[u8],
    log: &LogFile,
    stop: Stop,
) -> Result<(), StorageError> {
    let stopped_at = position(log.end);
    let (reason, from) = match stop {
        Stop::End => ("zeros stand where a record should be", stopped_at),
        Stop::Torn(reason) => (reason, stopped_at),
        Stop::BadChecksum { next } => ("a record's checksum is wrong", next),
    };
    let last = log.records.last().map(|record| record.entry.zxid);
    let Some(found) = find_record(bytes, from, last) else { return Ok(()) };
    Err(StorageError::CorruptLog {
        path: path.to_owned(),
        offset: log.end,
        reason: format!("{reason}, yet a whole record follows at offset {found}"),
    })
}

/// Searches `bytes` from `from` for a whole record of a transaction behind `last`. Any offset may be the
/// right one, since the damage may be to a length; zeros cannot begin one (no length).
fn find_record(bytes: &[u8], from: usize, last: Option<Zxid>) -> Option<usize> {
    let used = bytes.iter().rposition(|byte| *byte != 0)? + 1;
    (from..used).find(|&at| {
        // An adler32 has 32 bits: the field's upper half is zero in every record.
        bytes.get(at..at + 4) == Some(&[0; 4])
            && record_at(bytes, at).is_ok_and(|(transaction, _)| {
                txn::zxid_of(transaction).is_ok_and(|zxid| last.is_none_or(|last| zxid > last))
            })
    })
}
