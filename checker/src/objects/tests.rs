//! Orders are replayed by states of the object's own where interning would cost too much: those replays accept exactly
//! what the models accept.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::check::Object;
use crate::engine::verify_witness;
use crate::history::{History, Op, OpType, Process};
use crate::objects::{KeyError, counter, list, queue, set};

/// Operations that all overlap, so that only the outcomes decide which orders are right.
fn history(calls: &[(&str, Value, Value)]) -> History {
    let line = |process: usize, op_type, f: &str, value: &Value| {
        let process = Process::Client(i64::try_from(process).unwrap());
        Op { value: value.clone(), ..Op::new(0, 0, process, op_type, f) }
    };
    let invokes = calls.iter().enumerate().map(|(id, (f, input, _))| line(id, OpType::Invoke, f, input));
    let returns = calls.iter().enumerate().map(|(id, (f, _, output))| line(id, OpType::Ok, f, output));
    let lines = (0..).zip(invokes.chain(returns)).map(|(index, op)| Op { index, ..op });
    History::from_ops(lines.collect()).unwrap()
}

/// Tries random orders, and says how many were right and how many wrong.
fn compare<O: Object>(object: Result<O, KeyError>, rng: &mut ChaCha8Rng, seen: &mut [u32; 2]) {
    let Ok(object) = object else { panic!("the shapes are right") };
    let mut order: Vec<u32> = (0..u32::try_from(object.ops().len()).unwrap()).collect();
    for _ in 0..20 {
        order.shuffle(rng);
        let by_model = verify_witness(&mut object.machine(), object.ops(), &order);
        assert_eq!(object.verify(&order), by_model, "{order:?} of {:?}", object.ops());
        seen[usize::from(by_model.is_ok())] += 1;
    }
}

#[test]
fn replays_accept_what_the_models_accept() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut seen = [[0; 2]; 4];
    for _ in 0..400 {
        let n = rng.random_range(1..=4_i64);
        let few = |rng: &mut ChaCha8Rng| (1..=rng.random_range(0..3_i64)).collect::<Vec<i64>>();
        let (mut counters, mut lists, mut sets, mut queues) = (vec![], vec![], vec![], vec![]);
        for element in 1..=n {
            let added = json!(element % 3 + 1);
            let read = rng.random_bool(0.5);
            let items = json!(few(&mut rng));
            let number = json!(rng.random_range(0..4));
            counters.push(if read { ("read", Value::Null, number) } else { ("add", json!(1), json!(1)) });
            lists.push(if read {
                ("read", Value::Null, items.clone())
            } else {
                ("append", added.clone(), added.clone())
            });
            let f = if rng.random_bool(0.3) { "remove" } else { "add" };
            sets.push(if read { ("read", Value::Null, items) } else { (f, added.clone(), added.clone()) });
            let taken = [Value::Null, json!(1), json!(2), json!(3)][rng.random_range(0..4)].clone();
            queues.push(if read {
                ("dequeue", Value::Null, taken)
            } else {
                ("enqueue", added.clone(), added)
            });
        }
        compare(counter::tests_object(&history(&counters)), &mut rng, &mut seen[0]);
        compare(list::tests_object(&history(&lists)), &mut rng, &mut seen[1]);
        compare(set::tests_object(&history(&sets)), &mut rng, &mut seen[2]);
        compare(queue::tests_object(&history(&queues)), &mut rng, &mut seen[3]);
    }
    assert!(seen.iter().flatten().all(|&count| count > 300), "{seen:?}");
}
