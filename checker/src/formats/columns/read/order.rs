//! What a reader must know of events before it may call what it read a history.

use crate::NEVER;
use crate::hash::FastMap;
use crate::history::table::{Columns, NO_ZXID};
use crate::history::{History, OpType, Outcome, Val};
use crate::stats::FnCounts;

/// Takes back completions that lie behind the cut: their lines are not there.
pub(super) fn take_back(columns: &mut Columns, end: u32) {
    for at in 0..columns.ended.len() {
        if columns.ended[at] == NEVER || columns.ended[at] < end {
            continue;
        }
        columns.ended[at] = NEVER;
        columns.outcome[at] = Outcome::Info;
        columns.output[at] = Val::NIL;
        columns.time_ended[at] = 0;
        columns.zxid[at] = NO_ZXID;
        columns.error[at] = 0;
    }
}

/// Every event is one line's, and no process has two calls open at once.
pub(super) fn fits(history: &History, events: u32) -> bool {
    let c = &history.columns;
    let completions = c.ended.iter().copied().filter(|&ended| ended != NEVER);
    let others = history.others.iter().map(|(event, _)| *event);
    let mut taken = vec![false; events as usize];
    let mut count = 0_usize;
    for event in c.invoked.iter().copied().chain(completions).chain(others) {
        match taken.get_mut(event as usize) {
            Some(taken) if !*taken => *taken = true,
            Some(_) | None => return false,
        }
        count += 1;
    }
    let odd_in_order = history.odd.is_sorted_by(|a, b| a.event < b.event);
    let indexed = history.indices.as_ref().is_none_or(|indices| indices.len() == taken.len());
    count == taken.len() && odd_in_order && indexed && one_at_a_time(c)
}

fn one_at_a_time(c: &Columns) -> bool {
    // Nearly all processes are small numbers; a table for those costs nothing to ask.
    let mut small = [0_u32; 1024];
    let mut large: FastMap<i64, u32> = FastMap::default();
    c.process.iter().zip(&c.invoked).zip(&c.ended).all(|((&process, &invoked), &ended)| {
        let place = usize::try_from(process).ok().and_then(|process| small.get_mut(process));
        let free_from = place.unwrap_or_else(|| large.entry(process).or_default());
        let free = *free_from <= invoked;
        *free_from = ended;
        free
    })
}

/// Counts lines by function.
pub(super) fn count(history: &mut History) {
    let c = &history.columns;
    let mut counts = vec![FnCounts::default(); history.names.count()];
    for ((&f, &outcome), &ended) in c.f.iter().zip(&c.outcome).zip(&c.ended) {
        let counts = &mut counts[f as usize];
        counts.line(OpType::Invoke);
        if ended != NEVER {
            counts.line(match outcome {
                Outcome::Ok => OpType::Ok,
                Outcome::Info => OpType::Info,
                Outcome::Fail | Outcome::Mismatch => OpType::Fail,
            });
        }
    }
    let names = &history.names;
    history.counts.set((0..).zip(counts).map(|(f, counts)| (names.name(f), counts)));
}
