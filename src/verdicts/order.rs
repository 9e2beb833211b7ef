//! The real-time order of zxids, over all clients and keys, whatever the values were.
//!
//! A reply carries the zxid its server had reached; an update's reply carries the update's own. Updates are
//! ordered by their zxids, and every read follows a quorum sync, so what is invoked after something was
//! acknowledged carries a zxid no lower, and an update's is higher. A stale server is found here by any of its
//! answers, also by one whose value happens to be right.
//!
//! Not the order within epochs and clients: that is [`checker::order`].

use checker::Verdict;
use checker::history::{Call, History};

/// Judges the order of all acknowledged operations that carry a zxid.
pub(crate) fn real_time_order(history: &History) -> Verdict {
    let stamped: Vec<Stamped<'_>> = history.calls.iter().filter_map(Stamped::of).collect();
    if !stamped.iter().any(Stamped::is_update) {
        return Verdict::Unknown("no acknowledged update carries a zxid".into());
    }
    goes_back(&stamped).map_or(Verdict::Valid, Verdict::Invalid)
}

/// An acknowledged operation whose reply carried a zxid.
#[derive(Clone, Copy)]
struct Stamped<'a> {
    call: &'a Call,
    ret: u64,
    zxid: u64,
}

impl<'a> Stamped<'a> {
    fn of(call: &'a Call) -> Option<Self> {
        let ret = call.ret.filter(|_| call.is_ok())?;
        Some(Self { call, ret, zxid: call.zxid? })
    }

    fn is_update(&self) -> bool {
        matches!(self.call.f.as_str(), "write" | "cas")
    }

    fn describe(&self) -> String {
        let node = self.call.node.as_ref().map(|node| format!(" at {node}")).unwrap_or_default();
        let key = self.call.key.as_ref().map(|key| format!(" of {key}")).unwrap_or_default();
        format!("the {}{key}{node} (index {}, zxid {:#x})", self.call.f, self.call.index_invoke, self.zxid)
    }
}

/// One sweep over invocations and completions, with the highest acknowledgement so far as the floor
/// under all that is invoked later.
fn goes_back(stamped: &[Stamped<'_>]) -> Option<String> {
    let mut ends: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * stamped.len());
    for (place, one) in stamped.iter().enumerate() {
        ends.push((one.call.call, false, place));
        ends.push((one.ret, true, place));
    }
    ends.sort_unstable();
    let mut highest: Option<usize> = None;
    let mut floors: Vec<Option<usize>> = vec![None; stamped.len()];
    for (_, completed, place) in ends {
        if !completed {
            floors[place] = highest;
            continue;
        }
        let one = &stamped[place];
        if let Some(floor) = floors[place].map(|floor| &stamped[floor])
            && (one.zxid < floor.zxid || (one.is_update() && one.zxid == floor.zxid))
        {
            return Some(format!(
                "{} was invoked after {} was acknowledged",
                one.describe(),
                floor.describe()
            ));
        }
        if highest.is_none_or(|highest| stamped[highest].zxid < one.zxid) {
            highest = Some(place);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::history::OpType::{Invoke, Ok as Done};
    use checker::history::{Op, OpType, Process};

    /// Lines as (process, type, f, zxid).
    fn judge(lines: &[(i64, OpType, &str, Option<u64>)]) -> Verdict {
        let ops = (0..).zip(lines).map(|(index, &(process, op_type, f, zxid))| Op {
            zxid,
            key: Some("r1".into()),
            node: Some("n2".into()),
            ..Op::new(index, index, Process::Client(process), op_type, f)
        });
        real_time_order(&History::from_ops(ops.collect()).unwrap())
    }

    #[test]
    fn concurrent_operations_may_be_in_any_order() {
        let verdict = judge(&[
            (0, Invoke, "write", None),
            (1, Invoke, "write", None),
            (1, Done, "write", Some(9)),
            (0, Done, "write", Some(8)),
            (2, Invoke, "read", None),
            (2, Done, "read", Some(9)),
        ]);
        assert_eq!(verdict, Verdict::Valid);
    }

    #[test]
    fn a_later_update_takes_a_higher_zxid() {
        let verdict = judge(&[
            (0, Invoke, "write", None),
            (0, Done, "write", Some(9)),
            (1, Invoke, "cas", None),
            (1, Done, "cas", Some(9)),
        ]);
        assert!(verdict.is_invalid(), "{verdict}");
    }

    #[test]
    fn a_later_read_is_no_staler() {
        let verdict = judge(&[
            (0, Invoke, "write", None),
            (0, Done, "write", Some(0x2_0000_0001)),
            (1, Invoke, "read", None),
            (1, Done, "read", Some(0x1_0000_0009)),
        ]);
        assert_eq!(
            verdict.reason(),
            Some(
                "the read of r1 at n2 (index 2, zxid 0x100000009) was invoked after \
                 the write of r1 at n2 (index 0, zxid 0x200000001) was acknowledged"
            )
        );
    }

    #[test]
    fn nothing_stamped_proves_nothing() {
        let verdict = judge(&[(0, Invoke, "write", None), (0, Done, "write", None)]);
        assert!(matches!(verdict, Verdict::Unknown(_)));
    }
}
