//! The workload `register`: reads, writes and compare-and-set on a few keys that change over time.
//!
//! Every key is one znode whose data is the register's value as decimal text; no data is null. A read
//! is `sync` and `getData` in one round trip, a write is `setData` of any version, a cas is `getData`
//! and then `setData` of the version seen. All values of a key are different, which makes checking
//! nearly linear and every counterexample short. Keys are retired after a random number of
//! operations, so that no key's history grows without end and each run sees many registers begin.
//!
//! Promise: every key is a linearizable register ([`Promise::LinearizableRegister`]).

use crate::exchange::{Exchange, Operations, Step, exactly, single};
use crate::keys::Rotation;
use crate::zookeeper::{Answer, Clients, Reply};
use crate::{Completion, Effect, Error, Generator, Invocation, Next, Promise, Settings, Status, Workload};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::sync::Arc;
use zab_wire::Zxid;
use zab_wire::client::{Acl, ErrorCode, Request, Response};

/// The workload's name.
pub const NAME: &str = "register";

/// Under this znode are the keys.
const PARENT: &str = "/register";
/// Of 100 operations, this many are reads…
const READS: u32 = 50;
/// … and this many are writes; the rest are cas.
const WRITES: u32 = 35;
/// How many keys are read at the end on every node: about a second of reading. Twenty faults, each
/// with ten keys in use at its beginning and its end, leave 400 keys that are worth it.
const FINAL_KEYS_MAX: usize = 600;

/// The workload, ready to run.
#[must_use]
pub fn workload(settings: &Settings) -> Workload {
    let operations: Arc<dyn Operations> = Arc::new(RegisterOperations);
    Workload {
        name: NAME,
        promise: Promise::LinearizableRegister,
        generator: Box::new(Registers {
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
            keys: Rotation::new(settings),
        }),
        connector: Arc::new(Clients::new(Arc::clone(&operations))),
        operations,
    }
}

/// The generator.
#[derive(Debug)]
struct Registers {
    rng: ChaCha8Rng,
    keys: Rotation,
}

impl Generator for Registers {
    fn next(&mut self) -> Next {
        if let Some(key) = self.keys.next_to_prepare() {
            return Next::Prepare(key);
        }
        let Some(key) = self.keys.pick(&mut self.rng) else { return Next::Wait };
        let name = Arc::clone(&key.name);
        let dice = self.rng.random_range(0..100);
        Next::Invoke(if dice < READS {
            read(name, false)
        } else if dice < READS + WRITES {
            change("write", name, json!(key.fresh_value()))
        } else {
            // The client learns the old value when it carries this out.
            change("cas", name, json!([null, key.fresh_value()]))
        })
    }

    fn prepared(&mut self, key: &Arc<str>, done: bool) {
        self.keys.prepared(key, done);
    }

    fn completed(&mut self, invocation: &Invocation, status: Status) {
        if let (Status::Info, Some(key)) = (status, &invocation.key) {
            self.keys.disturb(key);
        }
    }

    fn disturbed(&mut self) {
        self.keys.disturb_all();
    }

    fn final_reads(&mut self) -> Vec<Invocation> {
        self.keys.of_interest(FINAL_KEYS_MAX).into_iter().map(|key| read(key, true)).collect()
    }
}

fn read(key: Arc<str>, final_read: bool) -> Invocation {
    Invocation { f: "read", effect: Effect::Reads, key: Some(key), value: Value::Null, final_read }
}

fn change(f: &'static str, key: Arc<str>, value: Value) -> Invocation {
    Invocation { f, effect: Effect::Changes, key: Some(key), value, final_read: false }
}

/// The operations, each as its requests and answers.
#[derive(Debug)]
struct RegisterOperations;

impl Operations for RegisterOperations {
    fn invoke(&self, invocation: &Invocation) -> Box<dyn Exchange<Output = Completion>> {
        let key = invocation.key.as_deref().expect("every operation of this workload has a key");
        let path = path(key);
        match invocation.f {
            "read" => Box::new(Read { path }),
            "write" => Box::new(Write { path, value: invocation.value.clone() }),
            "cas" => Box::new(Cas { path, new: invocation.value[1].clone(), setting: None }),
            other => unreachable!("the generator above knows no {other}"),
        }
    }

    fn prepare(&self, key: &str) -> Box<dyn Exchange<Output = Result<(), Error>>> {
        Box::new(Prepare { path: path(key), creating: Creating::Key })
    }
}

fn path(key: &str) -> String {
    format!("{PARENT}/{key}")
}

/// `sync` and `getData`, in one round trip.
#[derive(Debug)]
struct Read {
    path: String,
}

impl Exchange for Read {
    type Output = Completion;

    fn begin(&mut self) -> Vec<Request> {
        vec![Request::Sync { path: self.path.clone() }, get(&self.path)]
    }

    fn answered(&mut self, answers: Result<Vec<Answer>, Error>) -> Step<Completion> {
        let seen = match exactly(answers) {
            // A getData that was not preceded by a sync proves nothing.
            Ok([Err(refused), _]) => Err(refused),
            Ok([Ok(_synced), answer]) => seen(answer),
            Err(error) => Err(error),
        };
        Step::Done(match seen {
            Ok(seen) => Completion::ok(seen.value, seen.reply_zxid),
            Err(error) => Completion::failed(Effect::Reads, &error, Value::Null),
        })
    }
}

/// `setData` of any version.
#[derive(Debug)]
struct Write {
    path: String,
    value: Value,
}

impl Exchange for Write {
    type Output = Completion;

    fn begin(&mut self) -> Vec<Request> {
        vec![set(&self.path, &self.value, -1)]
    }

    fn answered(&mut self, answers: Result<Vec<Answer>, Error>) -> Step<Completion> {
        Step::Done(changed(single(answers), self.value.take()))
    }
}

/// `getData`, and then `setData` of the version seen.
#[derive(Debug)]
struct Cas {
    path: String,
    new: Value,
    /// [old, new], once the old value is known and the new one sent.
    setting: Option<Value>,
}

impl Exchange for Cas {
    type Output = Completion;

    fn begin(&mut self) -> Vec<Request> {
        // Any recent value will do, so no sync: when it is stale the version tells.
        vec![get(&self.path)]
    }

    fn answered(&mut self, answers: Result<Vec<Answer>, Error>) -> Step<Completion> {
        let answer = single(answers);
        if let Some(value) = self.setting.take() {
            return Step::Done(changed(answer, value));
        }
        let old = match seen(answer) {
            Ok(seen) => seen,
            // Nothing was asked for yet that could change anything.
            Err(error) => return Step::Done(Completion::failed(Effect::Reads, &error, Value::Null)),
        };
        self.setting = Some(json!([old.value, self.new]));
        // A znode that is not there has no version; 0 is the first, so the answer will be NoNode or a
        // cas from null, as it should be.
        Step::Ask(vec![set(&self.path, &self.new, old.version.unwrap_or(0))])
    }
}

/// `create`, and that of the parent before it when it is missing.
#[derive(Debug)]
struct Prepare {
    path: String,
    creating: Creating,
}

/// What a preparation waits for.
#[derive(Debug, Clone, Copy)]
enum Creating {
    Key,
    Parent,
    KeyUnderParent,
}

impl Exchange for Prepare {
    type Output = Result<(), Error>;

    fn begin(&mut self) -> Vec<Request> {
        vec![create(&self.path)]
    }

    fn answered(&mut self, answers: Result<Vec<Answer>, Error>) -> Step<Result<(), Error>> {
        let created = match single(answers) {
            Ok(_created) => Ok(()),
            // Keys are never deleted, so it is there to stay, whoever made it.
            Err(error) if error.is(ErrorCode::NodeExists) => Ok(()),
            Err(error) => Err(error),
        };
        match (self.creating, created) {
            (Creating::Key, Err(error)) if error.is(ErrorCode::NoNode) => {
                self.creating = Creating::Parent;
                Step::Ask(vec![create(PARENT)])
            }
            (Creating::Parent, Ok(())) => {
                self.creating = Creating::KeyUnderParent;
                Step::Ask(vec![create(&self.path)])
            }
            (Creating::Key | Creating::Parent | Creating::KeyUnderParent, done) => Step::Done(done),
        }
    }
}

fn get(path: &str) -> Request {
    Request::GetData { path: path.to_owned(), watch: false }
}

fn set(path: &str, value: &Value, version: i32) -> Request {
    Request::SetData { path: path.to_owned(), data: Some(value.to_string().into_bytes()), version }
}

fn create(path: &str) -> Request {
    Request::Create { path: path.to_owned(), data: None, acl: Acl::open(), flags: 0, with_stat: false }
}

/// How a setData ended that makes the operation's value `value`.
fn changed(answer: Answer, value: Value) -> Completion {
    match answer {
        Ok(reply) => Completion::ok(value, reply.zxid),
        Err(error) => Completion::failed(Effect::Changes, &error, value),
    }
}

/// What getData saw: the value, and the version unless the znode is missing.
struct Seen {
    value: Value,
    version: Option<i32>,
    reply_zxid: Zxid,
}

/// Reads an answer to getData. A znode that is not there holds null, like one without data: keys exist
/// before their first operation, so only a server that is behind, or lost something, misses one, and
/// this way the history shows it.
fn seen(answer: Answer) -> Result<Seen, Error> {
    match answer {
        Ok(Reply { zxid, body: Response::Data(data, stat) }) => {
            Ok(Seen { value: decode(data.as_deref()), version: Some(stat.version), reply_zxid: zxid })
        }
        Err(Error::Server { code, zxid }) if code == ErrorCode::NoNode.code() => {
            Ok(Seen { value: Value::Null, version: None, reply_zxid: zxid })
        }
        Ok(Reply { body, .. }) => unreachable!("a getData is decoded as one, not as {body:?}"),
        Err(error) => Err(error),
    }
}

/// The value that a znode's data stands for. Data that no client wrote becomes a text, which no
/// register holds: the checker will say so.
fn decode(data: Option<&[u8]>) -> Value {
    let Some(data) = data.filter(|data| !data.is_empty()) else { return Value::Null };
    let text = String::from_utf8_lossy(data);
    text.parse::<i64>().map_or_else(|_not_a_number| Value::from(text.as_ref()), Value::from)
}

#[cfg(test)]
mod tests;
