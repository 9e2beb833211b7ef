//! Random histories for tests: lines that pair, with every shape of value and every field there is.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::history::{Op, OpType, Process};

/// A scalar, a list or a map, of any kind that JSON has.
pub(crate) fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        4 => (0_i64..20).prop_map(Value::from),
        2 => Just(Value::Null),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<f64>().prop_filter_map("JSON has no infinities", |x| x.is_finite().then(|| json!(x))),
        2 => "[a-z]{0,3}".prop_map(Value::from),
        1 => ":?[a-z/.A-Z0-9]{0,3}".prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            1 => prop::collection::btree_map(":?[a-z \"]{0,3}", inner, 0..3)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

/// A text that is often there, often the same, and seldom strange.
fn texts() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        3 => Just(None),
        6 => prop::sample::select(vec!["n1", "k2", "x", ":timeout", ""]).prop_map(|text| Some(text.to_owned())),
        1 => any::<String>().prop_map(Some),
    ]
}

prop_compose! {
    fn draft()(
        process in prop_oneof![9 => (-1_i64..5).prop_map(Process::Client), 1 => Just(Process::Nemesis)],
        end in prop::sample::select(vec![OpType::Ok, OpType::Ok, OpType::Fail, OpType::Info]),
        f in prop_oneof![
            9 => prop::sample::select(vec!["read", "write", "cas", "txn", "append"]).prop_map(str::to_owned),
            1 => any::<String>(),
        ],
        value in values(),
        (key, error, node) in (texts(), texts(), texts()),
        zxid in prop_oneof![2 => Just(None), 2 => (0..1_u64 << 33).prop_map(Some), 1 => any::<u64>().prop_map(Some)],
        gap in prop_oneof![9 => Just(1_u64), 1 => 1_u64..1000],
        time in prop_oneof![9 => 0_u64..1 << 40, 1 => any::<u64>()],
        final_read in prop::bool::weighted(0.1),
        tidy in prop::bool::weighted(0.7),
    ) -> (Op, u64, bool) {
        (Op { index: 0, time, process, op_type: end, f, key, value, error, node, zxid, final_read }, gap, tidy)
    }
}

/// Lines that pair.
pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(draft(), 0..30).prop_map(pair)
}

/// Makes a draft an invocation if its process has none open, else the completion of that.
fn pair(drafts: Vec<(Op, u64, bool)>) -> Vec<Op> {
    let mut open: Vec<Op> = Vec::new();
    let mut next = 0;
    let mut ops = Vec::new();
    for (mut op, gap, tidy) in drafts {
        op.index = next + gap - 1;
        next += gap;
        if op.process == Process::Nemesis {
            ops.push(op);
            continue;
        }
        if let Some(at) = open.iter().position(|call| call.process == op.process) {
            let call = open.swap_remove(at);
            op.f = call.f;
            op.key = if tidy { call.key } else { None };
            if tidy {
                op.node = call.node;
                op.final_read = call.final_read;
            }
        } else {
            op.op_type = OpType::Invoke;
            if tidy {
                (op.error, op.zxid) = (None, None);
            }
            open.push(op.clone());
        }
        ops.push(op);
    }
    ops
}
