//! The operations' steps without any connection: what is asked, and what the answers come to, with
//! every step answered, refused and lost.

use super::*;
use crate::error::Cause;
use std::collections::BTreeMap;
use zab_wire::client::Stat;

const PATH: &str = "/register/r1";
const ZXID: Zxid = Zxid { epoch: 1, counter: 7 };

/// What a carrier hands back after a step.
type Answers = Result<Vec<Answer>, Error>;

fn ok(body: Response) -> Answer {
    Ok(Reply { zxid: ZXID, body })
}

fn refused(code: ErrorCode) -> Answer {
    Err(Error::Server { code: code.code(), zxid: ZXID })
}

/// The answer to a sync.
fn synced() -> Answer {
    ok(Response::Path(PATH.to_owned()))
}

/// The answer to a create.
fn created() -> Answer {
    ok(Response::Path(PATH.to_owned()))
}

/// The answer to a getData.
fn holds(text: &str, version: i32) -> Answer {
    ok(Response::Data(Some(text.as_bytes().to_vec()), Stat { version, ..Stat::default() }))
}

/// The answer to a setData.
fn set_done() -> Answer {
    ok(Response::Stat(Stat::default()))
}

fn not_sent() -> Answers {
    Err(Error::NotSent(Cause::Broken))
}

fn lost() -> Answers {
    Err(Error::Lost(Cause::Closed))
}

/// What the exchange asks in each of its steps, and what it comes to, when the steps are answered so.
#[track_caller]
fn carry_out<T>(
    mut exchange: Box<dyn Exchange<Output = T>>,
    answers: impl IntoIterator<Item = Answers>,
) -> (Vec<Vec<Request>>, T) {
    let mut asked = vec![exchange.begin()];
    let mut answers = answers.into_iter();
    loop {
        let answer = answers.next().expect("the test answers every step");
        match exchange.answered(answer) {
            Step::Ask(next) => asked.push(next),
            Step::Done(output) => {
                assert_eq!(answers.count(), 0, "answers to steps that were not taken");
                return (asked, output);
            }
        }
    }
}

fn invoke(f: &'static str, value: Value) -> Box<dyn Exchange<Output = Completion>> {
    let effect = if f == "read" { Effect::Reads } else { Effect::Changes };
    RegisterOperations.invoke(&Invocation { f, effect, key: Some("r1".into()), value, final_read: false })
}

/// Status and value that an operation comes to.
#[track_caller]
fn outcome(f: &'static str, value: Value, answers: impl IntoIterator<Item = Answers>) -> (Status, Value) {
    let (_asked, completion) = carry_out(invoke(f, value), answers);
    (completion.status, completion.value)
}

#[test]
fn a_read_is_sync_and_get_data_in_one_step() {
    let (asked, completion) = carry_out(invoke("read", Value::Null), [Ok(vec![synced(), holds("4", 1)])]);
    assert_eq!(asked, [[Request::Sync { path: PATH.to_owned() }, get(PATH)]]);
    assert_eq!(completion, Completion::ok(json!(4), ZXID));
}

#[test]
fn what_is_missing_or_empty_reads_as_null() {
    let read = |answer| outcome("read", Value::Null, [Ok(vec![synced(), answer])]);
    let empty = ok(Response::Data(None, Stat::default()));
    for answer in [empty, holds("", 3), refused(ErrorCode::NoNode)] {
        assert_eq!(read(answer), (Status::Ok, Value::Null));
    }
    assert_eq!(read(holds("4x", 1)), (Status::Ok, json!("4x")), "the checker is to see it");
}

#[test]
fn a_read_that_saw_nothing_for_certain_fails() {
    let failed = (Status::Fail, Value::Null);
    let read = |answers: Answers| outcome("read", Value::Null, [answers]);
    assert_eq!(read(Ok(vec![refused(ErrorCode::ConnectionLoss), holds("4", 1)])), failed, "not synced");
    assert_eq!(read(Ok(vec![synced(), refused(ErrorCode::NoAuth)])), failed);
    assert_eq!(read(not_sent()), failed);
    assert_eq!(read(lost()), failed);
}

#[test]
fn a_write_is_a_set_data_of_any_version() {
    let (asked, completion) = carry_out(invoke("write", json!(5)), [Ok(vec![set_done()])]);
    let set = Request::SetData { path: PATH.to_owned(), data: Some(b"5".to_vec()), version: -1 };
    assert_eq!(asked, [[set]]);
    assert_eq!(completion, Completion::ok(json!(5), ZXID));
}

#[test]
fn a_write_that_is_not_answered_ends_as_its_error_says() {
    let write = |answers: Answers| outcome("write", json!(5), [answers]);
    assert_eq!(write(Ok(vec![refused(ErrorCode::NoNode)])), (Status::Fail, json!(5)));
    assert_eq!(write(Ok(vec![refused(ErrorCode::ConnectionLoss)])), (Status::Info, json!(5)));
    assert_eq!(write(not_sent()), (Status::Fail, json!(5)));
    assert_eq!(write(lost()), (Status::Info, json!(5)));
}

#[test]
fn a_cas_sets_the_version_that_it_saw() {
    let cas =
        |seen: Answer| carry_out(invoke("cas", json!([null, 5])), [Ok(vec![seen]), Ok(vec![set_done()])]);
    let (asked, completion) = cas(holds("4", 17));
    assert_eq!(asked, [[get(PATH)], [set(PATH, &json!(5), 17)]]);
    assert_eq!(completion, Completion::ok(json!([4, 5]), ZXID));

    let (asked, completion) = cas(refused(ErrorCode::NoNode));
    assert_eq!(asked[1], [set(PATH, &json!(5), 0)], "the first version of what is not there yet");
    assert_eq!(completion, Completion::ok(json!([null, 5]), ZXID));
}

#[test]
fn a_cas_that_has_not_asked_for_a_change_fails() {
    for answers in [not_sent(), lost(), Ok(vec![refused(ErrorCode::ConnectionLoss)])] {
        assert_eq!(outcome("cas", json!([null, 5]), [answers]), (Status::Fail, Value::Null));
    }
}

#[test]
fn a_cas_that_has_asked_for_its_change_ends_as_its_error_says() {
    let cas = |set: Answers| outcome("cas", json!([null, 5]), [Ok(vec![holds("4", 1)]), set]);
    assert_eq!(cas(Ok(vec![refused(ErrorCode::BadVersion)])), (Status::Fail, json!([4, 5])));
    assert_eq!(cas(Ok(vec![refused(ErrorCode::OperationTimeout)])), (Status::Info, json!([4, 5])));
    assert_eq!(cas(not_sent()), (Status::Fail, json!([4, 5])));
    assert_eq!(cas(lost()), (Status::Info, json!([4, 5])));
}

#[test]
fn a_preparation_creates_the_key() {
    for answer in [created(), refused(ErrorCode::NodeExists)] {
        let (asked, done) = carry_out(RegisterOperations.prepare("r1"), [Ok(vec![answer])]);
        assert_eq!((asked, done), (vec![vec![create(PATH)]], Ok(())));
    }
}

#[test]
fn a_preparation_creates_the_parent_when_it_is_missing() {
    for parent in [created(), refused(ErrorCode::NodeExists)] {
        let answers = [refused(ErrorCode::NoNode), parent, created()].map(|answer| Ok(vec![answer]));
        let (asked, done) = carry_out(RegisterOperations.prepare("r1"), answers);
        assert_eq!(asked, [[create(PATH)], [create(PARENT)], [create(PATH)]]);
        assert_eq!(done, Ok(()));
    }
}

#[test]
fn a_preparation_ends_with_the_first_error_at_whichever_step() {
    let before = [refused(ErrorCode::NoNode), created()].map(|answer| Ok(vec![answer]));
    for steps in 0..=before.len() {
        for answers in [not_sent(), lost(), Ok(vec![refused(ErrorCode::NoAuth)])] {
            let error = single(answers.clone()).unwrap_err();
            let script = before[..steps].iter().cloned().chain([answers]);
            let (asked, done) = carry_out(RegisterOperations.prepare("r1"), script);
            assert_eq!((asked.len(), done), (steps + 1, Err(error)));
        }
    }
    // No second try: one that is still missing its parent ends.
    let script = before.into_iter().chain([Ok(vec![refused(ErrorCode::NoNode)])]);
    let (_asked, done) = carry_out(RegisterOperations.prepare("r1"), script);
    assert!(done.unwrap_err().is(ErrorCode::NoNode));
}

/// Znodes with data and version, enough for this workload.
#[derive(Default)]
struct Tree(BTreeMap<String, (Option<Vec<u8>>, i32)>);

impl Tree {
    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Create { path, data, .. } => {
                if self.0.contains_key(&path) {
                    return refused(ErrorCode::NodeExists);
                }
                if path != PARENT && !self.0.contains_key(PARENT) {
                    return refused(ErrorCode::NoNode);
                }
                self.0.insert(path.clone(), (data, 0));
                ok(Response::Path(path))
            }
            Request::SetData { path, data, version } => match self.0.get_mut(&path) {
                None => refused(ErrorCode::NoNode),
                Some((_, current)) if version != -1 && version != *current => refused(ErrorCode::BadVersion),
                Some(node) => {
                    *node = (data, node.1 + 1);
                    set_done()
                }
            },
            Request::GetData { path, .. } => match self.0.get(&path) {
                None => refused(ErrorCode::NoNode),
                Some((data, version)) => {
                    ok(Response::Data(data.clone(), Stat { version: *version, ..Stat::default() }))
                }
            },
            Request::Sync { path } => ok(Response::Path(path)),
            Request::Delete { .. }
            | Request::Exists { .. }
            | Request::GetChildren { .. }
            | Request::Ping
            | Request::CloseSession
            | Request::CreateSession { .. }
            | Request::Other { .. } => unreachable!("no operation asks for this"),
        }
    }

    /// Carries an exchange out, one thread, no connection.
    fn serve<T>(&mut self, mut exchange: Box<dyn Exchange<Output = T>>) -> T {
        let mut requests = exchange.begin();
        loop {
            let answers = requests.into_iter().map(|request| self.answer(request)).collect();
            requests = match exchange.answered(Ok(answers)) {
                Step::Ask(next) => next,
                Step::Done(output) => return output,
            };
        }
    }
}

#[test]
fn a_whole_load_needs_neither_connection_nor_runtime() {
    let load = |seed| {
        let Workload { mut generator, operations, .. } =
            workload(&Settings { seed, keys: 3, ops_per_key: 20 });
        let mut tree = Tree::default();
        let mut completions = Vec::new();
        while completions.len() < 500 {
            match generator.next() {
                Next::Prepare(key) => {
                    let done = tree.serve(operations.prepare(&key)).is_ok();
                    generator.prepared(&key, done);
                }
                Next::Invoke(invocation) => {
                    let completion = tree.serve(operations.invoke(&invocation));
                    generator.completed(&invocation, completion.status);
                    completions.push(completion);
                }
                Next::Wait => unreachable!("every preparation has ended"),
            }
        }
        completions.extend(generator.final_reads().iter().map(|read| tree.serve(operations.invoke(read))));
        completions
    };
    let completions = load(7);
    assert!(completions.iter().all(|completion| completion.status == Status::Ok));
    assert_eq!(completions, load(7), "the same calls give the same answers");
}
