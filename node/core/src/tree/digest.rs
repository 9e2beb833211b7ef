//! A number that stands for a tree, kept up to date change by change (ZooKeeper's `DigestCalculator`).
//!
//! The digest is the wrapping sum over all nodes and sessions of a hash of each, so a change costs two
//! hashes, and the order in which things came does not matter. Children are not hashed: they are nodes
//! themselves. The hash is not ZooKeeper's CRC-32, which is too short to stand for equality.

use super::Node;
use zab_wire::SessionId;

/// Mixes 64 bits into a hash (the multiply-and-rotate step of FxHash and wyhash).
const fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = <[u8; 8]>::try_from(chunk).expect("chunks of eight have eight bytes");
        hash = mix(hash, u64::from_le_bytes(word));
    }
    let mut last = [0; 8];
    let rest = chunks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    // The length tells a rest from one with zeros behind it.
    mix(mix(hash, u64::from_le_bytes(last)), bytes.len() as u64)
}

/// The part that a node has in its tree's digest.
pub(super) fn node(path: &str, node: &Node) -> u64 {
    let stat = &node.stat;
    let mut hash = bytes(1, path.as_bytes());
    hash = mix(hash, u64::from(node.data.is_some()));
    hash = bytes(hash, node.data.as_deref().unwrap_or_default());
    let longs = [stat.ctime_ms, stat.mtime_ms, stat.ephemeral_owner];
    for word in longs.map(i64::cast_unsigned) {
        hash = mix(hash, word);
    }
    for zxid in [stat.czxid, stat.mzxid, stat.pzxid] {
        hash = mix(hash, zxid.to_bits());
    }
    for number in [stat.version, stat.cversion, stat.aversion] {
        hash = mix(hash, u64::from(number.cast_unsigned()));
    }
    finish(hash)
}

/// The part that a session has.
pub(super) fn session(id: SessionId, timeout_ms: i32) -> u64 {
    finish(mix(mix(2, id.0.cast_unsigned()), u64::from(timeout_ms.cast_unsigned())))
}

/// Spreads the last word over all bits: sums must not see patterns.
const fn finish(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    hash ^ (hash >> 32)
}
