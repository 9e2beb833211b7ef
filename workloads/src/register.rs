//! The workload `register`: reads, writes and compare-and-set on a few keys that change over time.
//!
//! Every key is one znode whose data is the register's value as decimal text; no data is null. A read
//! is `sync` and `getData` in one round trip, a write is `setData` of any version, a cas is `getData`
//! and then `setData` of the version seen. All values of a key are different, which makes checking
//! nearly linear and every counterexample short. Keys are retired after a random number of
//! operations, so that no key's history grows without end and each run sees many registers begin.
//!
//! Promise: every key is a linearizable register ([`Promise::LinearizableRegister`]).

use crate::keys::Rotation;
use crate::zookeeper::{Connection, Reply};
use crate::{
    BoxFuture, Client, Completion, Connector, Effect, Error, Generator, Invocation, Next, Promise, Settings,
    Status, Timeouts, Workload,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
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
    Workload {
        name: NAME,
        promise: Promise::LinearizableRegister,
        generator: Box::new(Registers {
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
            keys: Rotation::new(settings),
        }),
        connector: Arc::new(RegisterConnector),
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

/// Opens clients of this workload.
#[derive(Debug)]
struct RegisterConnector;

impl Connector for RegisterConnector {
    fn connect(
        &self,
        address: SocketAddr,
        timeouts: Timeouts,
    ) -> BoxFuture<'_, Result<Box<dyn Client>, Error>> {
        Box::pin(async move {
            let connection = Connection::connect(address, timeouts.session, timeouts.connect).await?;
            let client: Box<dyn Client> = Box::new(RegisterClient { connection, limit: timeouts.operation });
            Ok(client)
        })
    }
}

/// Carries the operations out on one session.
#[derive(Debug)]
struct RegisterClient {
    connection: Connection,
    limit: Duration,
}

/// What getData saw: the value, and the version unless the znode is missing.
struct Seen {
    value: Value,
    version: Option<i32>,
    reply_zxid: zab_wire::Zxid,
}

impl RegisterClient {
    async fn read(&mut self, path: String) -> Completion {
        let sync = Request::Sync { path: path.clone() };
        let get = Request::GetData { path, watch: false };
        let seen = match self.connection.call([sync, get], self.limit).await {
            // A getData that was not preceded by a sync proves nothing.
            Ok([Err(refused), _]) => Err(refused),
            Ok([Ok(_synced), answer]) => seen(answer),
            Err(error) => Err(error),
        };
        match seen {
            Ok(seen) => Completion::ok(seen.value, seen.reply_zxid),
            Err(error) => Completion::failed(Effect::Reads, &error, Value::Null),
        }
    }

    async fn write(&mut self, path: String, value: &Value) -> Completion {
        let set = Request::SetData { path, data: Some(value.to_string().into_bytes()), version: -1 };
        match self.one(set, self.limit).await {
            Ok(reply) => Completion::ok(value.clone(), reply.zxid),
            Err(error) => Completion::failed(Effect::Changes, &error, value.clone()),
        }
    }

    async fn cas(&mut self, path: String, new: &Value) -> Completion {
        let ends = Instant::now() + self.limit;
        // Any recent value will do, so no sync: when it is stale the version tells.
        let answer = self.one(Request::GetData { path: path.clone(), watch: false }, self.limit).await;
        let old = match seen(answer) {
            Ok(seen) => seen,
            // Nothing was asked for yet that could change anything.
            Err(error) => return Completion::failed(Effect::Reads, &error, Value::Null),
        };
        let value = json!([old.value, new]);
        // A znode that is not there has no version; 0 is the first, so the answer will be NoNode or a
        // cas from null, as it should be.
        let version = old.version.unwrap_or(0);
        let set = Request::SetData { path, data: Some(new.to_string().into_bytes()), version };
        // Both requests are one operation, with one limit.
        match self.one(set, ends.duration_since(Instant::now())).await {
            Ok(reply) => Completion::ok(value, reply.zxid),
            Err(error) => Completion::failed(Effect::Changes, &error, value),
        }
    }

    async fn one(&mut self, request: Request, limit: Duration) -> Result<Reply, Error> {
        let [answer] = self.connection.call([request], limit).await?;
        answer
    }

    async fn create(&mut self, path: String) -> Result<(), Error> {
        let create = Request::Create { path, data: None, acl: Acl::open(), flags: 0, with_stat: false };
        match self.one(create, self.limit).await {
            Ok(_created) => Ok(()),
            // Keys are never deleted, so it is there to stay, whoever made it.
            Err(error) if error.is(ErrorCode::NodeExists) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Reads an answer to getData. A znode that is not there holds null, like one without data: keys exist
/// before their first operation, so only a server that is behind, or lost something, misses one, and
/// this way the history shows it.
fn seen(answer: Result<Reply, Error>) -> Result<Seen, Error> {
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

impl Client for RegisterClient {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion> {
        let key = invocation.key.as_deref().expect("every operation of this workload has a key");
        let path = format!("{PARENT}/{key}");
        Box::pin(async move {
            match invocation.f {
                "read" => self.read(path).await,
                "write" => self.write(path, &invocation.value).await,
                "cas" => self.cas(path, &invocation.value[1]).await,
                other => unreachable!("the generator above knows no {other}"),
            }
        })
    }

    fn prepare<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            match self.create(format!("{PARENT}/{key}")).await {
                Err(error) if error.is(ErrorCode::NoNode) => {
                    self.create(PARENT.to_owned()).await?;
                    self.create(format!("{PARENT}/{key}")).await
                }
                done => done,
            }
        })
    }

    fn idle(&mut self) -> BoxFuture<'_, Error> {
        Box::pin(self.connection.idle())
    }

    fn is_broken(&self) -> bool {
        self.connection.is_broken()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(self.connection.close())
    }
}
