//! Which faults were active at a time, as the nemesis' own lines in a history tell.
//!
//! Our lines carry `{"id", "phase", "what"}`: a fault is active from `installed` to `healed`. Jepsen's begin with
//! `start` and end with `stop`, `resume`, `heal`; of others it is only known that they happened.

use serde_json::Value;

use crate::history::{History, Op};

/// A fault as lines of the history tell of it.
struct Fault {
    what: String,
    /// What ends it: the id of ours, or the name behind Jepsen's `start`.
    id: String,
    from: u32,
    until: Option<u32>,
}

/// The faults that were active between the first invocation and the last completion of these calls.
pub(crate) fn faults_during(history: &History, calls: &[u32]) -> Vec<String> {
    let columns = &history.columns;
    let first = calls.iter().map(|&id| columns.invoked[id as usize]).min().unwrap_or(0);
    let ended = calls.iter().map(|&id| columns.ended[id as usize]).filter(|&event| event != crate::NEVER);
    let last = ended.max().unwrap_or(first);
    let overlaps = |fault: &Fault| fault.from <= last && fault.until.is_none_or(|until| until >= first);
    let mut shown: Vec<String> = Vec::new();
    for fault in faults(history).into_iter().filter(overlaps) {
        let time = |event: u32| history.others.iter().find(|(at, _)| *at == event).map(|(_, op)| op.time);
        let at = |event: u32| match time(event).filter(|_| history.timed) {
            Some(time) => format!("{:.3} ms", crate::counterexample::millis(time)),
            None => format!("index {}", history.index_of(event)),
        };
        let until = fault.until.map_or("the end".to_owned(), at);
        shown.push(format!("{} (from {} to {until})", fault.what, at(fault.from)));
    }
    shown
}

fn faults(history: &History) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for (event, op) in &history.others {
        let (id, mark) = read(op);
        let open = faults.iter_mut().rev().find(|fault| fault.id == id && fault.until.is_none());
        match (mark, open) {
            (Mark::Ends, Some(fault)) => fault.until = Some(*event),
            // Jepsen writes a line when it begins to inject and one when it has.
            (Mark::Begins, Some(_)) | (Mark::Ends | Mark::Nothing, _) => {}
            (Mark::Begins | Mark::Happens, _) => {
                let what = op.value.get("what").and_then(Value::as_str).map(str::to_owned);
                let until = (mark == Mark::Happens).then_some(*event);
                faults.push(Fault { what: what.unwrap_or_else(|| described(op)), id, from: *event, until });
            }
        }
    }
    faults
}

/// What a line says of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Begins,
    Ends,
    Happens,
    Nothing,
}

/// Which fault a line is about, and what it says of it.
fn read(op: &Op) -> (String, Mark) {
    if let (Some(id), Some(phase)) = (op.value.get("id"), op.value.get("phase").and_then(Value::as_str)) {
        let mark = match phase {
            "installed" => Mark::Begins,
            "healed" => Mark::Ends,
            // What was skipped, or shows no evidence, is no fault.
            _ => Mark::Nothing,
        };
        return (id.to_string(), mark);
    }
    let name = op.f.trim_start_matches(':');
    let marks = [("start", Mark::Begins), ("stop", Mark::Ends), ("resume", Mark::Ends), ("heal", Mark::Ends)];
    for (prefix, mark) in marks {
        if let Some(rest) = name.strip_prefix(prefix) {
            return (rest.trim_start_matches('-').to_owned(), mark);
        }
    }
    (String::new(), Mark::Happens)
}

fn described(op: &Op) -> String {
    if op.value.is_null() { op.f.clone() } else { format!("{} {}", op.f, op.value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{OpType, Process};
    use serde_json::json;

    /// A read from event 2 to event 4, with lines of the nemesis around it.
    fn during(nemesis: [(&str, Value); 4]) -> Vec<String> {
        let [a, b, c, d] = nemesis.map(|(f, value)| (f.to_owned(), value));
        let line = |index, (f, value): (String, Value)| Op {
            value,
            ..Op::new(index, index * 1_000_000, Process::Nemesis, OpType::Info, &f)
        };
        let read = |index, op_type| Op::new(index, index * 1_000_000, Process::Client(0), op_type, "read");
        let ops = vec![
            line(0, a),
            line(1, b),
            read(2, OpType::Invoke),
            line(3, c),
            read(4, OpType::Ok),
            line(5, d),
        ];
        faults_during(&History::from_ops(ops).unwrap(), &[0])
    }

    #[test]
    fn our_faults_last_from_installed_to_healed() {
        let line = |id: u32, phase: &str, what: &str| ("x", json!({"id": id, "phase": phase, "what": what}));
        let shown = during([
            line(1, "installed", "pause n1"),
            line(1, "healed", "pause n1"),
            line(2, "installed", "kill n2"),
            line(2, "healed", "kill n2"),
        ]);
        assert_eq!(shown, ["kill n2 (from 3.000 ms to 5.000 ms)"]);
        let nothing = line(1, "skipped", "pause n1");
        assert!(during([nothing.clone(), nothing.clone(), nothing.clone(), nothing]).is_empty());
    }

    #[test]
    fn jepsens_faults_last_from_start_to_stop() {
        let shown = during([
            (":start-partition", json!(null)),
            (":start-partition", json!("cut")),
            (":kill", json!(["n1"])),
            (":stop-partition", json!(null)),
        ]);
        assert_eq!(
            shown,
            [":start-partition (from 0.000 ms to 5.000 ms)", ":kill [\"n1\"] (from 3.000 ms to 3.000 ms)"]
        );
    }
}
