//! The history of a run in a world, as `history.jsonl` holds it: the same lines that the interpreter of real
//! runs writes, with virtual time.

use checker::history::{Op, OpType, Process};
use workloads::{Completion, Invocation, Status};

/// Appends to a history.
#[derive(Debug, Clone, Default)]
pub struct History {
    ops: Vec<Op>,
}

impl History {
    /// The lines so far.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The lines.
    #[must_use]
    pub fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    /// An operation begins.
    pub fn invoke(&mut self, at_us: u64, process: i64, node: u16, invocation: &Invocation) {
        let op = self.line(at_us, process, node, invocation, OpType::Invoke);
        self.ops.push(Op { value: invocation.value.clone(), ..op });
    }

    /// An operation ended.
    pub fn complete(
        &mut self,
        at_us: u64,
        process: i64,
        node: u16,
        invocation: &Invocation,
        completion: Completion,
    ) {
        let op_type = match completion.status {
            Status::Ok => OpType::Ok,
            Status::Fail => OpType::Fail,
            Status::Info => OpType::Info,
        };
        let op = self.line(at_us, process, node, invocation, op_type);
        self.ops.push(Op {
            value: completion.value,
            error: completion.error,
            zxid: completion.zxid.map(zab_wire::Zxid::to_bits),
            ..op
        });
    }

    /// A fault began or ended, as `value` tells.
    pub fn nemesis(&mut self, at_us: u64, family: &str, value: serde_json::Value) {
        let index = self.ops.len() as u64;
        let op = Op::new(index, at_us * 1_000, Process::Nemesis, OpType::Info, family);
        self.ops.push(Op { value, ..op });
    }

    fn line(&self, at_us: u64, process: i64, node: u16, invocation: &Invocation, op_type: OpType) -> Op {
        let index = self.ops.len() as u64;
        Op {
            key: invocation.key.as_deref().map(str::to_owned),
            node: Some(format!("n{}", node + 1)),
            final_read: invocation.final_read,
            ..Op::new(index, at_us * 1_000, Process::Client(process), op_type, invocation.f)
        }
    }
}
