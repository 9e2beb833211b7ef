//! Whatever is recorded can be read back, and a file cut anywhere is still a history.

use checker::{History, Op, OpType, Process};
use proptest::prelude::*;
use serde_json::{Value, json};

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        (any::<Option<i64>>(), any::<i64>()).prop_map(|(old, new)| json!([old, new])),
    ]
}

prop_compose! {
    fn ops()(
        process in prop_oneof![Just(Process::Nemesis), any::<i64>().prop_map(Process::Client)],
        op_type in prop_oneof![Just(OpType::Invoke), Just(OpType::Ok), Just(OpType::Fail), Just(OpType::Info)],
        place in (any::<u64>(), any::<u64>()),
        f in "[a-z-]+",
        value in values(),
        texts in (any::<Option<String>>(), any::<Option<String>>(), any::<Option<String>>()),
        zxid in any::<Option<u64>>(),
        final_read in any::<bool>(),
    ) -> Op {
        let (index, time) = place;
        let (key, error, node) = texts;
        Op { index, time, process, op_type, f, key, value, error, node, zxid, final_read }
    }
}

/// Ten writes of one client.
fn file() -> String {
    let mut text = String::new();
    for index in 0..20 {
        let op_type = if index % 2 == 0 { OpType::Invoke } else { OpType::Ok };
        let op = Op::new(index, index * 10, Process::Client(0), op_type, "write");
        let op = Op { value: json!(index / 2), key: Some("k".into()), ..op };
        text += &serde_json::to_string(&op).expect("an op is always JSON");
        text.push('\n');
    }
    text
}

proptest! {
    #[test]
    fn an_op_survives_json(op in ops()) {
        let line = serde_json::to_string(&op).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(serde_json::from_str::<Op>(&line).unwrap(), op);
    }

    #[test]
    fn a_file_cut_anywhere_is_a_history(cut in 0_usize..=2000) {
        let text = file();
        let kept = &text[..cut.min(text.len())];
        let history = History::parse("cut.jsonl", kept.as_bytes()).unwrap();
        let whole = kept.lines().filter(|line| line.ends_with('}')).count() as u64;
        prop_assert_eq!(history.lines, whole);
        prop_assert_eq!(history.len() as u64, whole.div_ceil(2));
        prop_assert_eq!(history.truncated, !kept.is_empty() && !kept.ends_with('\n') && !kept.ends_with('}'));
    }
}
