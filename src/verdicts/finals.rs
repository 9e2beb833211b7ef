//! The final reads: after everything healed, every node is asked for the same keys.
//!
//! They are ordinary sync + reads, so the linearizability check holds them too. Here: were all nodes
//! asked and did they answer, and do they agree.

use checker::Verdict;
use checker::history::{Op, OpType, Process};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Judges the final reads of a run with these nodes.
pub(crate) fn final_reads(ops: &[Op], nodes: &[String]) -> Verdict {
    let finals: Vec<&Op> = ops.iter().filter(|op| op.final_read).collect();
    let answered: Vec<&Op> = finals.iter().copied().filter(|op| op.op_type == OpType::Ok).collect();
    disagreement(ops, &answered).map_or_else(|| complete(&finals, &answered, nodes), Verdict::Invalid)
}

/// Whether the final reads that were answered agree, of whichever nodes; `None` when there are none.
pub(crate) fn final_reads_agree(ops: &[Op]) -> Option<Verdict> {
    let answered: Vec<&Op> = ops.iter().filter(|op| op.final_read && op.op_type == OpType::Ok).collect();
    (!answered.is_empty()).then(|| disagreement(ops, &answered).map_or(Verdict::Valid, Verdict::Invalid))
}

fn complete(finals: &[&Op], answered: &[&Op], nodes: &[String]) -> Verdict {
    let place = |op: &Op| (op.node.clone().unwrap_or_default(), op.key.clone().unwrap_or_default());
    let keys: BTreeSet<String> = finals.iter().map(|op| place(op).1).collect();
    if keys.is_empty() {
        return Verdict::Unknown("there were no final reads".into());
    }
    let answered: BTreeSet<(String, String)> = answered.iter().map(|op| place(op)).collect();
    let mut missing = Vec::new();
    for node in nodes {
        let silent = keys.iter().filter(|key| !answered.contains(&(node.clone(), (*key).clone()))).count();
        if silent > 0 {
            missing.push(format!("{node} did not answer {silent} of {}", keys.len()));
        }
    }
    if missing.is_empty() {
        return Verdict::Valid;
    }
    Verdict::Unknown(format!("final reads are missing: {}", missing.join(", ")))
}

/// Two nodes that give different values of a key whose fate is certain. A key with an update of unknown
/// outcome may still change between two reads; whether it did lawfully is for linearizability to say.
fn disagreement(ops: &[Op], answered: &[&Op]) -> Option<String> {
    let mut first: BTreeMap<&Option<String>, &Op> = BTreeMap::new();
    let uncertain = uncertain_keys(ops);
    for op in answered.iter().filter(|op| !uncertain.contains(&op.key)) {
        let other = first.entry(&op.key).or_insert(op);
        if other.value != op.value {
            let node = |op: &Op| op.node.clone().unwrap_or_else(|| "a node".into());
            let show = |value: &Value| if value.is_null() { "nil".to_owned() } else { value.to_string() };
            return Some(format!(
                "after everything healed {} reads {} and {} reads {} from {}",
                node(other),
                show(&other.value),
                node(op),
                show(&op.value),
                op.key.as_deref().unwrap_or("the register")
            ));
        }
    }
    None
}

fn uncertain_keys(ops: &[Op]) -> BTreeSet<Option<String>> {
    let mut open: BTreeMap<i64, &Op> = BTreeMap::new();
    let mut uncertain = BTreeSet::new();
    for op in ops.iter().filter(|op| op.f != "read") {
        let Process::Client(process) = op.process else { continue };
        match op.op_type {
            OpType::Invoke => {
                open.insert(process, op);
            }
            OpType::Ok | OpType::Fail => {
                open.remove(&process);
            }
            OpType::Info => {
                open.remove(&process);
                uncertain.insert(op.key.clone());
            }
        }
    }
    uncertain.extend(open.values().map(|op| op.key.clone()));
    uncertain
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(node: &str, key: &str, value: Option<i64>) -> [Op; 2] {
        let op = |op_type, value| Op {
            node: Some(node.into()),
            key: Some(key.into()),
            value,
            final_read: true,
            ..Op::new(0, 0, Process::Client(0), op_type, "read")
        };
        let end = if value.is_some() { OpType::Ok } else { OpType::Fail };
        [op(OpType::Invoke, Value::Null), op(end, json!(value))]
    }

    fn judge(reads: &[[Op; 2]], before: &[Op]) -> Verdict {
        let ops: Vec<Op> = before.iter().chain(reads.iter().flatten()).cloned().collect();
        final_reads(&ops, &["n1".into(), "n2".into()])
    }

    #[test]
    fn all_answered_and_agree() {
        let reads = [
            read("n1", "a", Some(1)),
            read("n2", "a", Some(1)),
            read("n1", "b", Some(2)),
            read("n2", "b", Some(2)),
        ];
        assert_eq!(judge(&reads, &[]), Verdict::Valid);
    }

    #[test]
    fn silence_proves_nothing() {
        assert_eq!(judge(&[], &[]), Verdict::Unknown("there were no final reads".into()));
        let reads = [read("n1", "a", Some(1)), read("n2", "a", None)];
        assert_eq!(
            judge(&reads, &[]),
            Verdict::Unknown("final reads are missing: n2 did not answer 1 of 1".into())
        );
        let again = [read("n1", "a", Some(1)), read("n2", "a", None), read("n2", "a", Some(1))];
        assert_eq!(judge(&again, &[]), Verdict::Valid, "a second try counts");
    }

    #[test]
    fn a_history_alone_tells_whether_they_agree() {
        let ops = |reads: &[[Op; 2]]| reads.iter().flatten().cloned().collect::<Vec<Op>>();
        assert_eq!(final_reads_agree(&ops(&[read("n1", "a", None)])), None);
        let agree = [read("n1", "a", Some(1)), read("n2", "a", Some(1))];
        assert_eq!(final_reads_agree(&ops(&agree)), Some(Verdict::Valid));
        let differ = [read("n1", "a", Some(1)), read("n2", "a", Some(2))];
        assert!(final_reads_agree(&ops(&differ)).unwrap().is_invalid());
    }

    #[test]
    fn nodes_that_differ_are_wrong_unless_an_update_is_still_open() {
        let reads = [read("n1", "a", Some(1)), read("n2", "a", Some(2))];
        assert_eq!(
            judge(&reads, &[]),
            Verdict::Invalid("after everything healed n1 reads 1 and n2 reads 2 from a".into())
        );
        let open = Op { key: Some("a".into()), ..Op::new(0, 0, Process::Client(9), OpType::Invoke, "write") };
        assert_eq!(judge(&reads, &[open]), Verdict::Valid);
    }
}
