//! Certificates as files, tampered ones, and what a refusal says.

use serde_json::{Value, json};

use crate::Class;
use crate::certificate::{
    Certificate, Claim, KeyCertificate, Proof, Refusal, Rule, Verified, complete, verify,
};
use crate::history::{History, Op, OpType, Process};

use OpType::{Info, Invoke, Ok as Done};

/// Lines `(process, type, f, key, value)`; the `index` is ten times their number.
fn history(lines: &[(i64, OpType, &str, &str, Value)]) -> History {
    let ops = (0..).step_by(10).zip(lines).map(|(index, (process, op_type, f, key, value))| Op {
        key: Some((*key).into()),
        value: value.clone(),
        ..Op::new(index, index, Process::Client(*process), *op_type, f)
    });
    History::from_ops(ops.collect()).unwrap()
}

/// One after the other, all completed: `(f, input, output)`; the `index` of operation `n` is `20 n`.
fn sequence(ops: &[(&str, Value, Value)]) -> History {
    let lines = ops.iter().flat_map(|(f, input, output)| {
        [(0, Invoke, *f, "k", input.clone()), (0, Done, *f, "k", output.clone())]
    });
    history(&lines.collect::<Vec<_>>())
}

fn stale_and_fine() -> (History, Certificate) {
    let history = history(&[
        (0, Invoke, "write", "stale", json!(1)),
        (0, Done, "write", "stale", json!(1)),
        (0, Invoke, "write", "stale", json!(2)),
        (0, Done, "write", "stale", json!(2)),
        (1, Invoke, "read", "stale", json!(null)),
        (1, Done, "read", "stale", json!(1)),
        (1, Invoke, "write", "fine", json!(7)),
        (2, Invoke, "read", "fine", json!(null)),
        (2, Done, "read", "fine", json!(7)),
        (1, Info, "write", "fine", json!(7)),
    ]);
    let keys = vec![
        KeyCertificate::valid("fine", vec![60, 70]),
        KeyCertificate::invalid("stale", Class::StaleRead, vec![0, 20, 40], "1 came back"),
    ];
    (history, Certificate::new("register", keys))
}

fn refusal(history: &History, certificate: &Certificate) -> String {
    verify(history, certificate).unwrap_err().to_string()
}

#[test]
fn the_file_has_the_agreed_shape_and_comes_back() {
    let (history, certificate) = stale_and_fine();
    let mut file = Vec::new();
    certificate.write(&mut file).unwrap();
    let expected = r#"{"certificate":1,"model":"register","verdict":"invalid","keys":[
{"key":"fine","valid":{"order":[60,70]}},
{"key":"stale","invalid":{"class":"stale-read","core":[0,20,40],"why":"1 came back"}}]}
"#;
    assert_eq!(String::from_utf8_lossy(&file), expected);
    let back = Certificate::read(file.as_slice()).unwrap();
    assert_eq!(back, certificate);
    let proven = Verified { verdict: Claim::Invalid, valid_keys: 1, invalid_keys: 1 };
    assert_eq!(verify(&history, &back), Ok(proven));
    let wrong = Certificate::read(&b"{\"certificate\":1}"[..]).unwrap_err().to_string();
    assert!(wrong.starts_with("not a certificate: missing field `model`"), "{wrong}");
}

#[test]
fn a_tampered_certificate_is_refused() {
    let (history, good) = stale_and_fine();
    let tampered = |tamper: fn(&mut Certificate)| {
        let mut bad = good.clone();
        tamper(&mut bad);
        refusal(&history, &bad)
    };
    assert_eq!(tampered(|c| c.certificate = 2), "the certificate is in another version of the format than 1");
    assert_eq!(tampered(|c| c.model = "tape".into()), "the certificate names a model that is not known");
    assert_eq!(
        tampered(|c| c.model = "queue".into()),
        "key \"stale\", index 0: this operation is none of the model's, or its value is none"
    );
    assert_eq!(
        tampered(|c| c.verdict = Claim::Valid),
        "the certificate claims a verdict that its keys do not give"
    );
    assert_eq!(
        tampered(|c| drop(c.keys.pop())),
        "the certificate claims a verdict that its keys do not give"
    );
    assert_eq!(
        tampered(|c| {
            c.keys.pop();
            c.verdict = Claim::Valid;
        }),
        "key \"stale\": the certificate has no proof for this key, so the history as a whole is not proven valid"
    );
    assert_eq!(
        tampered(|c| c.keys[0].key = "gone".into()),
        "key \"gone\": the history has no operation on it"
    );
    assert_eq!(
        tampered(|c| c.keys[1].proof = Proof::Valid { order: vec![0, 20, 40] }),
        "key \"stale\", index 40: this operation cannot have had its result at its place in the order"
    );
    assert_eq!(
        tampered(|c| c.keys[1].proof = Proof::Valid { order: vec![0, 40, 20] }),
        "key \"stale\", index 20: this operation returned before one that precedes it in the order was called"
    );
    assert_eq!(
        tampered(|c| c.keys[0] = KeyCertificate::valid("fine", vec![60])),
        "key \"fine\", index 70: this operation completed, but the order lacks it"
    );
    assert_eq!(
        tampered(|c| c.keys[0] = KeyCertificate::invalid("fine", Class::Other, vec![60, 70], "")),
        "key \"fine\": the core has an order that explains every result, so it contradicts nothing"
    );
    assert_eq!(
        tampered(|c| c.keys[0] = KeyCertificate::invalid("fine", Class::Other, vec![70], "")),
        "key \"fine\", index 60: this operation is needed in the core (it may be what the core read)"
    );
    assert_eq!(
        tampered(|c| c.keys[0] = KeyCertificate::valid("fine", vec![60, 0])),
        "key \"fine\", index 0: this operation is named twice, or is none of this key's, or failed"
    );
}

#[test]
fn a_valid_key_beside_an_invalid_one_need_not_be_proven() {
    let (history, mut certificate) = stale_and_fine();
    certificate.keys.remove(0);
    let proven = Verified { verdict: Claim::Invalid, valid_keys: 0, invalid_keys: 1 };
    assert_eq!(verify(&history, &certificate), Ok(proven));
}

/// What the verifier says to a core of `sequence(ops)`, by the places of its operations.
fn core(model: &str, ops: &[(&str, Value, Value)], core: &[u64]) -> Result<(), Rule> {
    let core: Vec<u64> = core.iter().map(|at| at * 20).collect();
    let certificate = Certificate::new(model, vec![KeyCertificate::invalid("k", Class::Other, core, "")]);
    match verify(&sequence(ops), &certificate) {
        Ok(_) => Ok(()),
        Err(Refusal::Whole(rule) | Refusal::Key { rule, .. } | Refusal::Operation { rule, .. }) => Err(rule),
    }
}

#[test]
fn cores_need_what_may_explain_them_and_nothing_else() {
    let is_needed = |result: Result<(), Rule>| matches!(result, Err(Rule::Needed(_)));
    let nil = || json!(null);
    // A stale read: who wrote its value was overwritten before, and can be left out.
    let stale = [("write", json!(1), nil()), ("write", json!(2), nil()), ("read", nil(), json!(1))];
    assert_eq!(core("register", &stale, &[2]), Ok(()));
    assert_eq!(core("register", &stale, &[0, 1]), Err(Rule::Linearizable));
    let fresh = [("write", json!(1), nil()), ("write", json!(2), nil()), ("read", nil(), json!(2))];
    assert!(is_needed(core("register", &fresh, &[2])));
    assert_eq!(core("register", &fresh, &[1, 2]), Err(Rule::Linearizable));
    // A lost append: the others do not matter.
    let lost = [("append", json!(1), nil()), ("append", json!(2), nil()), ("read", nil(), json!([1]))];
    assert_eq!(core("list", &lost, &[1, 2]), Ok(()));
    assert_eq!(core("list", &lost, &[0, 2]), Err(Rule::Linearizable));
    // Taken twice: one dequeue is not enough.
    let twice = [("enq", json!(1), nil()), ("deq", nil(), json!(1)), ("deq", nil(), json!(1))];
    assert_eq!(core("queue", &twice, &[0, 1, 2]), Ok(()));
    assert!(is_needed(core("queue", &twice, &[0, 2])));
    // Sessions of a lock: whole or not at all.
    let sessions = ["acquire", "release", "acquire", "acquire"].map(|f| (f, nil(), nil()));
    assert_eq!(core("lock", &sessions, &[2, 3]), Ok(()));
    assert!(is_needed(core("lock", &sessions, &[0, 2, 3])));
    // Three additions at most, and a read that found four; two at least, and one that found one.
    let counts = |found| [("inc", nil(), nil()), ("add", json!(2), nil()), ("read", nil(), json!(found))];
    assert_eq!(core("counter", &counts(4), &[2]), Ok(()));
    assert_eq!(core("counter", &counts(1), &[2]), Ok(()));
    assert!(is_needed(core("counter", &counts(3), &[2])));
    // A string: every update.
    let text = [("put", json!("a"), nil()), ("append", json!("b"), nil()), ("get", nil(), json!("b"))];
    assert_eq!(core("kv", &text, &[0, 1, 2]), Ok(()));
    assert!(is_needed(core("kv", &text, &[1, 2])));
}

#[test]
fn a_counter_that_goes_back_contradicts_itself() {
    let mut lines: Vec<_> = (0..2).map(|n| (n, Invoke, "inc", "k", json!(null))).collect();
    for found in [2, 1] {
        lines.push((9, Invoke, "read", "k", json!(null)));
        lines.push((9, Done, "read", "k", json!(found)));
    }
    let history = history(&lines);
    let of = |core| Certificate::new("counter", vec![KeyCertificate::invalid("k", Class::Other, core, "")]);
    assert!(refusal(&history, &of(vec![40])).contains("index 0: this operation is needed"));
    assert!(verify(&history, &of(vec![20, 40])).is_ok());
}

#[test]
fn a_core_is_completed_from_what_contradicts() {
    let nil = || json!(null);
    let text = [
        ("put", json!("a"), nil()),
        ("append", json!("b"), nil()),
        ("get", nil(), json!("b")),
        ("append", json!("c"), nil()),
    ];
    assert_eq!(complete(&sequence(&text), "kv", "k", &[40]), Ok(vec![0, 20, 40]));
    let sessions = ["acquire", "release", "acquire", "acquire"].map(|f| (f, nil(), nil()));
    assert_eq!(complete(&sequence(&sessions), "lock", "k", &[0, 40, 60]), Ok(vec![0, 40, 60, 20]));
    let fine = complete(&sequence(&text[..2]), "kv", "k", &[0]).unwrap_err();
    assert_eq!(fine, Refusal::Key { key: "k".into(), rule: Rule::Linearizable });
}

#[test]
fn a_core_that_is_too_large_is_refused_not_believed() {
    let open = |n: i64| (n, Invoke, "append", "k", json!(n));
    let mut lines: Vec<_> = (0..12).map(open).collect();
    lines.extend([(99, Invoke, "read", "k", json!(null)), (99, Done, "read", "k", json!([99]))]);
    let history = history(&lines);
    let core: Vec<u64> = history.calls().map(|call| call.index_invoke()).collect();
    let certificate = Certificate::new("list", vec![KeyCertificate::invalid("k", Class::Other, core, "")]);
    assert_eq!(refusal(&history, &certificate), "key \"k\": the core is too large to try every order of it");
}

#[test]
fn failed_operations_are_none() {
    let fail = OpType::Fail;
    let lines = [(0, Invoke, "write", "k", json!(1)), (0, fail, "write", "k", json!(1))];
    let history = history(&lines);
    let of = |order| Certificate::new("register", vec![KeyCertificate::valid("k", order)]);
    assert_eq!(verify(&history, &of(vec![])).map(|verified| verified.valid_keys), Ok(1));
    assert!(refusal(&history, &of(vec![0])).ends_with("is named twice, or is none of this key's, or failed"));
    assert!(verify(&history, &Certificate::new("register", vec![])).is_err());
}
