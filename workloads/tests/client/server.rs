//! A ZooKeeper server of one connection's width: scripted by the test, or a small honest tree.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zab_wire::client::{
    ConnectRequest, ConnectResponse, ErrorCode, ReplyHeader, Request, RequestHeader, Response, Stat,
};
use zab_wire::jute::{Reader, Record, Writer};
use zab_wire::{SessionId, Zxid};

/// A listener on a free port of the loopback.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The server's end of one connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// Counts transactions, epoch 1.
    pub(crate) zxid: Zxid,
}

impl Peer {
    /// Accepts a client and gives it a session with this timeout.
    pub(crate) async fn accept(listener: &TcpListener, timeout_ms: i32) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut peer = Self { stream, zxid: Zxid::new(1, 1) };
        let hello = ConnectRequest::from_slice(&peer.frame().await.unwrap()).unwrap();
        assert_eq!((hello.session, hello.last_zxid_seen), (SessionId(0), Zxid::ZERO), "always a new session");
        let session = SessionId(if timeout_ms > 0 { 0x77 } else { 0 });
        peer.send(
            &ConnectResponse { timeout_ms, session, password: vec![7; 16], read_only: Some(false) }.to_vec(),
        )
        .await;
        peer
    }

    async fn frame(&mut self) -> Option<Vec<u8>> {
        let length = self.stream.read_i32().await.ok()?;
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut frame).await.ok()?;
        Some(frame)
    }

    /// The next request; `None` when the client is gone.
    pub(crate) async fn request(&mut self) -> Option<(i32, Request)> {
        let frame = self.frame().await?;
        let mut reader = Reader::new(&frame);
        let header = RequestHeader::decode(&mut reader).unwrap();
        Some((header.xid, Request::decode(header.op, reader.rest()).unwrap()))
    }

    async fn send(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        // A client that is gone is the client's business.
        let _sent = self.stream.write_all(&[&length, frame].concat()).await;
    }

    pub(crate) async fn reply(&mut self, xid: i32, outcome: Result<Response, ErrorCode>) {
        let mut out = Writer::new();
        let error = outcome.as_ref().err().map_or(0, |code| code.code());
        ReplyHeader { xid, zxid: self.zxid, error }.encode(&mut out);
        if let Ok(body) = outcome {
            body.encode_body(&mut out);
        }
        self.send(&out.into_inner()).await;
    }
}

/// Serves one connection after the other from one tree, until the test ends.
pub(crate) async fn serve(listener: TcpListener) {
    let mut tree = Tree::default();
    loop {
        let mut peer = Peer::accept(&listener, 10_000).await;
        while let Some((xid, request)) = peer.request().await {
            let closing = request == Request::CloseSession;
            let outcome = tree.answer(request);
            peer.zxid = Zxid::new(1, tree.transactions);
            peer.reply(xid, outcome).await;
            if closing {
                break;
            }
        }
    }
}

/// Paths with data and versions.
#[derive(Default)]
struct Tree {
    nodes: BTreeMap<String, (Option<Vec<u8>>, i32)>,
    transactions: u32,
}

impl Tree {
    fn answer(&mut self, request: Request) -> Result<Response, ErrorCode> {
        let stat = |version| Stat { version, ..Stat::default() };
        match request {
            Request::Create { path, data, .. } => {
                self.transactions += 1;
                let parent = path.rsplit_once('/').unwrap().0;
                if !parent.is_empty() && !self.nodes.contains_key(parent) {
                    return Err(ErrorCode::NoNode);
                }
                if self.nodes.contains_key(&path) {
                    return Err(ErrorCode::NodeExists);
                }
                self.nodes.insert(path.clone(), (data, 0));
                Ok(Response::Path(path))
            }
            Request::GetData { path, .. } => {
                let (data, version) = self.nodes.get(&path).ok_or(ErrorCode::NoNode)?;
                Ok(Response::Data(data.clone(), stat(*version)))
            }
            Request::SetData { path, data, version } => {
                self.transactions += 1;
                let node = self.nodes.get_mut(&path).ok_or(ErrorCode::NoNode)?;
                if version != -1 && version != node.1 {
                    return Err(ErrorCode::BadVersion);
                }
                *node = (data, node.1 + 1);
                Ok(Response::Stat(stat(node.1)))
            }
            Request::Sync { path } => Ok(Response::Path(path)),
            Request::Ping | Request::CloseSession => Ok(Response::Empty),
            Request::Delete { .. }
            | Request::Exists { .. }
            | Request::GetChildren { .. }
            | Request::CreateSession { .. }
            | Request::Other { .. } => Err(ErrorCode::Unimplemented),
        }
    }
}
