//! Histories in columns, in binary: small, read in a few hundredths of a second a million operations, and lossless
//! (whatever a [`crate::History`] holds comes back).
//!
//! All numbers are little-endian. A *column* is packed as [`pack`] says; `zz` marks zigzag numbers, `>=1` a column
//! of at least one byte a number.
//!
//! ```text
//! file     = header block*
//! header   = magic "\x89ZHC\r\n\x1a\n"   version u32 = 1   flags u32   lines u64   calls u64   events u64
//!            checksum u64 (XXH64, seed 0, of all before it)
//!            flags: 1 explicit_cas, 2 timed, 4 truncated, 8 stamps are of the last modification
//! block    = length u64   checksum u64 (XXH64, seed 0, of the payload)   check u64 (XXH64, seed 1, of these two)
//!            payload [length bytes]
//! payload  = calls u32   events u32   names u32   values u32   others u32   odd u32   indices u32 (0 or 1)
//!            names:   column of lengths; the texts
//!            values:  column >=1 of kinds (0 int, 1 false, 2 true, 3 text, 4 list, 5 pair, 6 JSON)
//!                     column zz of the ints; of the lengths of texts; of lists; of JSONs
//!                     column >=1 of list items, column of pair items (value ids); the texts; the JSONs
//!            calls:   columns of process (zz), f, key, node, error (name ids),
//!                     >=1 of marks (outcome 0 ok 1 info 2 fail 3 mismatch, +4 completed, +8 zxid, +16 final),
//!                     input, output (value ids), invoked (events skipped since the previous call was invoked),
//!                     ended (events skipped since its own invocation, 0 if not completed),
//!                     time of invocation (zz, less that of the previous call),
//!                     time of completion (zz, less that of invocation; 0 if not completed),
//!                     zxid (zz, less the previous one; 0 without)
//!            indices: column of (index less the previous index less 1), one an event; only if announced
//!            others:  column of events skipped since the previous other or the block's beginning; column >=1 of
//!                     lengths; lines of history.jsonl without newline
//!            odd:     as others: column of events skipped; columns of key, node, error (name id + 1, 0 without),
//!                     zxid, and >=1 of marks (8 zxid, 16 final)
//! ```
//!
//! A block holds up to 32,768 calls in order of invocation, and covers the events from the end of the block before
//! it to the invocation of the first call of the next. It brings the names and values its calls need that no block
//! before it brought, numbered on: names from 1 (0 is no name), values from 0. A value id is 0 for null,
//! `2 * (n + 1)` for the integer `n` below 2^31 - 1, which is not in the table, else `2 * number + 1`.
//!
//! Blocks end where events do, so the first few of them are a history: that of a run that ended there. A file that
//! was cut off is read up to its last whole block, and is [`crate::History::truncated`]; completions that lie behind
//! the cut are taken away again. Damage elsewhere is an error that names the block. Nothing in a file is believed:
//! ids, counts and the order of events are checked, and no length makes more room than the file's own size warrants.

mod checksum;
mod pack;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::read;
pub(super) use write::write;

/// What a file begins with. As with PNG, it shows whether a transfer took it for text.
pub(super) const MAGIC: [u8; 8] = *b"\x89ZHC\r\n\x1a\n";
const VERSION: u32 = 1;
const HEADER: usize = 48;
const BLOCK_HEAD: usize = 24;
/// Calls a block, at most. Few in tests, so that small histories have many blocks.
const CALLS: usize = if cfg!(test) { 4 } else { 1 << 15 };

const EXPLICIT_CAS: u32 = 1;
const TIMED: u32 = 2;
const TRUNCATED: u32 = 4;
const LAST_MODIFIED: u32 = 8;

const COMPLETED: u64 = 4;
const ZXID: u64 = 8;
const FINAL: u64 = 16;
