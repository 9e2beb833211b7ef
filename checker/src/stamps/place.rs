//! Where each returned operation belongs in the order of stamps.
//!
//! An update belongs where its stamp says. So does a read that carries the stamp its server had reached. A read
//! that tells only the last modification of its object belongs somewhere between that and the next one, not before
//! anything that its session saw, and, if it must be current, not before anything that had returned by
//! then. All these are lower bounds, and the rest (nothing modifies the object in between, nothing called too
//! late comes before) only gets harder the later it is placed, so the least place is the best.

use super::replay::Log;
use super::sort::{Dense, small_ids, stable};
use crate::Position;

/// No operation.
const NOBODY: u32 = u32::MAX;

/// The places, and what set them.
pub(super) struct Places {
    /// Of each operation that returned.
    pub(super) at: Vec<u64>,
    /// The operation whose stamp that is, where it is not its own.
    pub(super) cause: Vec<u32>,
    /// The returned operations in order of return.
    pub(super) returns: Vec<u32>,
    /// A session's view that goes back: (what it had seen, the later operation).
    pub(super) went_back: Option<(u32, u32)>,
}

impl Places {
    /// The operation that pushed `id` beyond its own stamp.
    pub(super) fn cause(&self, id: u32) -> Option<u32> {
        Some(self.cause[id as usize]).filter(|&cause| cause != NOBODY && cause != id)
    }
}

/// The returned operations, in order of return.
pub(super) fn returns<A: Copy>(log: &Log<'_, A>) -> Vec<u32> {
    let returned = log.ids().filter(|&id| log.op(id).returned()).collect();
    stable(returned, |id| u64::from(log.op(id).ret))
}

/// The order of the places: an update before the reads at the same place, else as in `ids`.
pub(super) fn order<A: Copy>(log: &Log<'_, A>, at: impl Fn(u32) -> u64, ids: Vec<u32>) -> Vec<u32> {
    let dense = Dense::new(ids.iter().map(|&id| at(id)));
    let mut keys = vec![0; log.ops.len()];
    for (rank, &id) in dense.ranks(ids.iter().map(|&id| at(id))).zip(&ids) {
        keys[id as usize] = 2 * rank + u64::from(!log.is_update(id));
    }
    stable(ids, |id| keys[id as usize])
}

/// Places every returned operation. `session` may be empty: then every operation is a session of its own.
/// `since`: what returned before this position must be seen; 0 for what may be stale. `reached`: stamps of
/// reads are places.
pub(super) fn places<A: Copy>(
    log: &Log<'_, A>,
    session: &[i64],
    since: impl Fn(u32) -> Position,
    reached: bool,
) -> Places {
    let (sessions, count) = if session.is_empty() { (Vec::new(), 0) } else { small_ids(session) };
    let mut seen_by: Vec<(u64, u32)> = vec![(0, NOBODY); count];
    let nobody = vec![NOBODY; log.ops.len()];
    let (mut at, mut cause, mut floor) = (vec![0; log.ops.len()], nobody.clone(), nobody);
    let mut went_back = None;
    let returns = returns(log);
    let held = held(log, &returns, since, reached);
    let mut held = held.iter().peekable();
    // The returned operation with the last place so far.
    let mut latest = NOBODY;
    for &id in &returns {
        while let Some(&(_, held)) = held.next_if(|&&(since, _)| since < log.op(id).ret) {
            floor[held as usize] = latest;
        }
        let own = log.stamp(id).unwrap_or(0);
        let mut place = (own, id);
        if let Some(&session) = sessions.get(id as usize) {
            let seen = seen_by[session as usize];
            let back = seen.1 != NOBODY && (own < seen.0 || (log.is_update(id) && own == seen.0));
            if back && (reached || log.is_update(id)) {
                went_back = went_back.or(Some((seen.1, id)));
            } else if back {
                place = seen;
            }
        }
        let floor = floor[id as usize];
        if floor != NOBODY && at[floor as usize] > place.0 {
            place = (at[floor as usize], cause[floor as usize]);
        }
        if let Some(&session) = sessions.get(id as usize) {
            seen_by[session as usize] = place;
        }
        (at[id as usize], cause[id as usize]) = place;
        if latest == NOBODY || place.0 >= at[latest as usize] {
            latest = id;
        }
    }
    Places { at, cause, returns, went_back }
}

/// The reads that are held to something, by the position since when.
fn held<A: Copy>(
    log: &Log<'_, A>,
    returns: &[u32],
    since: impl Fn(u32) -> Position,
    reached: bool,
) -> Vec<(Position, u32)> {
    if reached {
        return Vec::new();
    }
    let held: Vec<u32> = returns.iter().copied().filter(|&id| !log.is_update(id) && since(id) > 0).collect();
    stable(held, |id| u64::from(since(id))).into_iter().map(|id| (since(id), id)).collect()
}
