//! Real servers on loopback, and a client of one connection.
//!
//! Servers are the `zab-node` binary; whatever is started here ends with the [`Ensemble`] value.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use zab_wire::client::{
    Acl, ConnectRequest, ConnectResponse, ErrorCode, OpCode, ReplyHeader, Request, RequestHeader, Response,
};
use zab_wire::jute::{Record, Writer};
use zab_wire::{SessionId, Zxid};

/// No condition is waited for longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` gives something.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        sleep(Duration::from_millis(10));
    }
}

/// A port nobody listens on, below the range from which the kernel takes ports of its own choice.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 9000).unwrap();
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) client_port: u16,
    pub(crate) quorum_port: u16,
    pub(crate) election_port: u16,
    pub(crate) config: PathBuf,
    pub(crate) trace: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

/// Servers 1 to n with their folders; none runs at first.
#[derive(Debug)]
pub(crate) struct Ensemble {
    pub(crate) nodes: Vec<Node>,
    _folder: TempDir,
}

impl Ensemble {
    /// Lays out `size` servers; `extra` lines go into each configuration.
    pub(crate) fn new(size: usize, extra: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        for id in 1..=size {
            let home = folder.path().join(format!("n{id}"));
            fs::create_dir_all(home.join("data")).unwrap();
            fs::write(home.join("data/myid"), format!("{id}\n")).unwrap();
            nodes.push(Node {
                client_port: free_port(),
                quorum_port: free_port(),
                election_port: free_port(),
                config: home.join("zoo.cfg"),
                trace: home.join("trace.jsonl"),
                log: home.join("log"),
                child: None,
            });
        }
        let servers: String = (nodes.iter().zip(1..))
            .filter(|_| size > 1)
            .map(|(node, id)| format!("server.{id}=127.0.0.1:{}:{}\n", node.quorum_port, node.election_port))
            .collect();
        for node in &nodes {
            let text = format!(
                "tickTime=100\ninitLimit=10\nsyncLimit=5\ndataDir={}\nclientPort={}\n\
                 clientPortAddress=127.0.0.1\nmaxSessionTimeout=30000\n4lw.commands.whitelist=*\n{servers}{extra}",
                node.config.with_file_name("data").display(),
                node.client_port
            );
            fs::write(&node.config, text).unwrap();
        }
        Self { nodes, _folder: folder }
    }

    fn node(&mut self, id: usize) -> &mut Node {
        &mut self.nodes[id - 1]
    }

    /// Starts server `id`.
    pub(crate) fn start(&mut self, id: usize) {
        let node = self.node(id);
        assert!(node.child.is_none(), "n{id} runs already");
        let log = fs::OpenOptions::new().create(true).append(true).open(&node.log).unwrap();
        let child = server(&node.config).arg("--trace").arg(&node.trace).stderr(log).spawn().unwrap();
        node.child = Some(child);
    }

    /// Starts all that do not run.
    pub(crate) fn start_all(&mut self) {
        for id in 1..=self.nodes.len() {
            if self.nodes[id - 1].child.is_none() {
                self.start(id);
            }
        }
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(&mut self, id: usize, signal: Signal) -> ExitStatus {
        let mut child = self.node(id).child.take().expect("it runs");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        wait_for("the end of a server", || child.try_wait().unwrap())
    }

    /// What `srvr` says: leader, follower or standalone; `None` while it does not serve.
    pub(crate) fn mode(&self, id: usize) -> Option<String> {
        let text = word(self.nodes[id - 1].client_port, "srvr").ok()?;
        let mode = text.lines().find_map(|line| line.strip_prefix("Mode: "))?;
        Some(mode.to_owned())
    }

    /// Waits until all running servers serve, and gives the leader.
    pub(crate) fn leader(&self) -> usize {
        let running: Vec<_> =
            (1..=self.nodes.len()).filter(|id| self.nodes[id - 1].child.is_some()).collect();
        wait_for("a leader and all serving", || {
            let modes: Vec<_> = running.iter().map(|id| self.mode(*id)).collect::<Option<_>>()?;
            let leaders = modes.iter().filter(|mode| *mode == "leader").count();
            let place = modes.iter().position(|mode| mode == "leader")?;
            (leaders == 1).then_some(running[place])
        })
    }

    /// A session at server `id`, once it serves.
    pub(crate) fn client(&self, id: usize) -> Client {
        let port = self.nodes[id - 1].client_port;
        wait_for("a session", || Client::connect(port).ok())
    }

    /// Asserts that every port can be listened on.
    pub(crate) fn assert_ports_are_free(&self) {
        for node in &self.nodes {
            for port in [node.client_port, node.quorum_port, node.election_port] {
                TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|error| panic!("{port}: {error}"));
            }
        }
    }

    /// The trace lines of server `id` that record `event`.
    pub(crate) fn traced(&self, id: usize, event: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(&self.nodes[id - 1].trace).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["event"] == event).collect()
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                let _killed = child.kill();
                let _reaped = child.wait();
            }
            if std::thread::panicking() {
                let log = fs::read_to_string(&node.log).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(40).collect();
                eprintln!("--- {}", node.log.display());
                tail.into_iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
    }
}

/// The binary, with its configuration.
pub(crate) fn server(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zab-node"));
    command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Asks a four-letter word.
pub(crate) fn word(port: u16, word: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(word.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// One connection and its session.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    xid: i32,
    /// The newest zxid a reply carried.
    pub(crate) zxid: Zxid,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_nodelay(true)?;
        let request = ConnectRequest {
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 30_000,
            session: SessionId(0),
            password: vec![0; 16],
            read_only: Some(false),
        };
        send(&mut stream, &request.to_vec())?;
        let response = ConnectResponse::from_slice(&receive(&mut stream)?).map_err(io::Error::other)?;
        if response.session.0 == 0 {
            return Err(io::Error::other("no session"));
        }
        Ok(Self { stream, xid: 0, zxid: Zxid::ZERO })
    }

    /// Sends a request; its xid.
    pub(crate) fn send(&mut self, request: &Request) -> io::Result<i32> {
        self.xid += 1;
        let mut out = Writer::new();
        RequestHeader { xid: self.xid, op: request.op() }.encode(&mut out);
        request.encode_body(&mut out);
        send(&mut self.stream, &out.into_inner())?;
        Ok(self.xid)
    }

    /// Reads the answer to `request`: its xid, and a body or an error code.
    pub(crate) fn receive(&mut self, request: &Request) -> io::Result<(i32, Result<Response, i32>)> {
        let frame = receive(&mut self.stream)?;
        let header = ReplyHeader::from_slice(&frame).map_err(io::Error::other)?;
        assert!(header.zxid >= self.zxid, "a client's view goes forward");
        self.zxid = header.zxid;
        if header.error != 0 {
            return Ok((header.xid, Err(header.error)));
        }
        let response = Response::decode(request, &frame[16..]).map_err(io::Error::other)?;
        Ok((header.xid, Ok(response)))
    }

    pub(crate) fn call(&mut self, request: &Request) -> io::Result<Result<Response, i32>> {
        let xid = self.send(request)?;
        let (answered, response) = self.receive(request)?;
        assert_eq!(answered, xid);
        Ok(response)
    }

    /// The answer, which must be a success.
    pub(crate) fn must(&mut self, request: &Request) -> Response {
        self.call(request).unwrap_or_else(|error| panic!("{request:?}: {error}")).unwrap_or_else(|code| {
            panic!("{request:?}: error {code}");
        })
    }

    pub(crate) fn create(&mut self, path: &str, data: &[u8]) {
        assert_eq!(self.must(&create(path, data)), Response::Path(path.to_owned()));
    }

    pub(crate) fn set(&mut self, path: &str, data: &[u8]) {
        self.must(&Request::SetData { path: path.to_owned(), data: Some(data.to_vec()), version: -1 });
    }

    /// sync, then getData.
    pub(crate) fn get(&mut self, path: &str) -> Vec<u8> {
        self.must(&Request::Sync { path: path.to_owned() });
        let response = self.must(&Request::GetData { path: path.to_owned(), watch: false });
        let Response::Data(data, _stat) = response else { panic!("no data: {response:?}") };
        data.unwrap_or_default()
    }

    /// Ends the session and sees the connection closed.
    pub(crate) fn close(mut self) {
        assert_eq!(self.must(&Request::CloseSession), Response::Empty);
        assert_eq!(self.stream.read(&mut [0]).unwrap_or(0), 0, "the server closes behind its answer");
    }
}

/// create, exists, getData, setData, getChildren, sync and delete, with their errors.
pub(crate) fn every_operation(client: &mut Client) {
    let path = |path: &str| path.to_owned();
    client.create("/a", b"1");
    client.create("/a/b", b"");
    let code = |code: ErrorCode| Err(code.code());
    let call = |client: &mut Client, request: Request| client.call(&request).unwrap();
    assert_eq!(call(client, create("/a", b"")), code(ErrorCode::NodeExists));
    assert_eq!(call(client, create("/x/y", b"")), code(ErrorCode::NoNode));
    let children = Request::GetChildren { path: path("/a"), watch: false, with_stat: false };
    assert_eq!(call(client, children), Ok(Response::Children(vec![path("b")])));
    let set = |version| Request::SetData { path: path("/a"), data: Some(b"2".to_vec()), version };
    let Ok(Response::Stat(stat)) = call(client, set(0)) else { panic!("setData failed") };
    assert_eq!((stat.version, stat.num_children, stat.data_length), (1, 1, 1));
    assert_eq!(call(client, set(0)), code(ErrorCode::BadVersion));
    assert_eq!(client.get("/a"), b"2");
    let exists = |p: &str| Request::Exists { path: path(p), watch: false };
    let Ok(Response::Stat(again)) = call(client, exists("/a")) else { panic!("exists failed") };
    assert_eq!(again, stat);
    let delete = |p: &str, version| Request::Delete { path: path(p), version };
    assert_eq!(call(client, delete("/a", -1)), code(ErrorCode::NotEmpty));
    assert_eq!(call(client, delete("/a/b", 0)), Ok(Response::Empty));
    assert_eq!(call(client, delete("/a", -1)), Ok(Response::Empty));
    assert_eq!(call(client, exists("/a")), code(ErrorCode::NoNode));
}

/// A create of a persistent node, open to all.
pub(crate) fn create(path: &str, data: &[u8]) -> Request {
    let request = Request::Create {
        path: path.to_owned(),
        data: Some(data.to_vec()),
        acl: Acl::open(),
        flags: 0,
        with_stat: false,
    };
    assert_eq!(request.op(), OpCode::Create.code());
    request
}

fn send(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let mut out = Writer::new();
    out.buffer(Some(body));
    stream.write_all(&out.into_inner())
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}
