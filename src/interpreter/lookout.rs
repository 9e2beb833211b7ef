//! The online checks, fed with every line as it is written: a violation is told within milliseconds, while the run
//! still goes on, and not when it is over.
//!
//! Only tells. The verdict is that of the whole history afterwards, with its proof.

use crate::clock::RunClock;
use checker::history::{Op, OpType, Process};
use checker::online::{Checker, Kind, Stamps, Violation};
use serde_json::Value;
use tokio::sync::watch;
use workloads::{Completion, Invocation, Status};

/// The first violation that was seen while the run went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spotted {
    /// When, ns of the run.
    pub(crate) at_ns: u64,
    /// What: key, class and reason in one sentence.
    pub(crate) sentence: String,
}

/// Watches the lines of a history.
pub(super) struct Lookout {
    registers: Checker,
    stamps: Stamps,
    clock: RunClock,
    spotted: watch::Sender<Option<Spotted>>,
}

impl Lookout {
    /// Tells what it sees to this channel.
    pub(super) fn new(clock: RunClock, spotted: watch::Sender<Option<Spotted>>) -> Self {
        Self { registers: Checker::new(Kind::Register), stamps: Stamps::default(), clock, spotted }
    }

    /// The line of an invocation was written.
    pub(super) fn invoke(&mut self, index: u64, process: i64, invocation: &Invocation) {
        self.line(index, process, OpType::Invoke, invocation, &invocation.value, None);
    }

    /// The line of a completion was written.
    pub(super) fn complete(
        &mut self,
        index: u64,
        process: i64,
        invocation: &Invocation,
        completion: &Completion,
    ) {
        let op_type = match completion.status {
            Status::Ok => OpType::Ok,
            Status::Fail => OpType::Fail,
            Status::Info => OpType::Info,
        };
        let zxid = completion.zxid.map(zab_wire::Zxid::to_bits);
        self.line(index, process, op_type, invocation, &completion.value, zxid);
    }

    fn line(
        &mut self,
        index: u64,
        process: i64,
        op_type: OpType,
        invocation: &Invocation,
        value: &Value,
        zxid: Option<u64>,
    ) {
        let op = Op {
            key: invocation.key.as_deref().map(str::to_owned),
            value: value.clone(),
            zxid,
            ..Op::new(index, 0, Process::Client(process), op_type, invocation.f)
        };
        let found = self.registers.feed(&op).or_else(|| self.stamps.feed(&op));
        if let Some(violation) = found.filter(|_| self.spotted.borrow().is_none()) {
            let spotted = Spotted { at_ns: self.clock.now_ns(), sentence: sentence(&violation) };
            self.spotted.send_replace(Some(spotted));
        }
    }
}

fn sentence(violation: &Violation) -> String {
    let on_key = if violation.key.is_empty() { String::new() } else { format!(" on key {}", violation.key) };
    format!("{}{on_key}: {}", violation.class, violation.sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use workloads::Effect;

    fn invocation(f: &'static str, effect: Effect, value: Value) -> Invocation {
        Invocation { f, effect, key: Some("r1".into()), value, final_read: false }
    }

    #[test]
    fn a_stale_read_is_told_at_its_line_and_only_the_first_one() {
        let (sender, receiver) = watch::channel(None);
        let mut lookout = Lookout::new(RunClock::start(), sender);
        let mut index = 0;
        let mut both = |f, effect, asked: Value, told: Value| {
            let invocation = invocation(f, effect, asked);
            lookout.invoke(index, 0, &invocation);
            lookout.complete(
                index + 1,
                0,
                &invocation,
                &Completion::ok(told, zab_wire::Zxid::new(1, u32::try_from(index).unwrap() + 1)),
            );
            index += 2;
        };
        both("write", Effect::Changes, json!(1), json!(1));
        both("write", Effect::Changes, json!(2), json!(2));
        both("read", Effect::Reads, Value::Null, json!(2));
        assert_eq!(*receiver.borrow(), None);
        both("read", Effect::Reads, Value::Null, json!(1));
        let first = receiver.borrow().clone().expect("the read is stale");
        assert!(first.sentence.starts_with("stale read on key r1: "), "{}", first.sentence);
        both("read", Effect::Reads, Value::Null, Value::Null);
        assert_eq!(receiver.borrow().as_ref(), Some(&first));
    }
}
