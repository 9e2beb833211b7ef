//! Writes under moderate load: what they cost in messages, and how long their clients wait.

use super::{Bench, PATIENCE_US};
use crate::world::{ClientEvent, Purpose, Sent, Site, World};
use std::collections::{BTreeMap, VecDeque};
use zab_core::Trace;
use zab_wire::client::{Acl, ConnectRequest, ErrorCode, ReplyHeader, Request, RequestHeader};
use zab_wire::jute::{Record, Writer};
use zab_wire::{SessionId, Zxid};

/// Where a client is, and what its server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vantage {
    /// Beside the leader.
    Leader,
    /// Beside the follower that is farthest from the leader.
    Follower,
    /// Beside an observer in that follower's region.
    Observer,
    /// Beside the leader, once, to notice that it leads.
    Probe,
}

impl Vantage {
    /// One client of each kind for each region.
    pub(super) const SITES: u16 = 20;

    /// The client's number.
    pub(super) fn client(self, region: u16) -> u16 {
        self as u16 * 5 + region
    }

    /// Opens a session.
    pub(super) fn connect(world: &mut World, client: u16, at: u16) {
        let hello = ConnectRequest {
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 60_000,
            session: SessionId(0),
            password: vec![0; 16],
            read_only: Some(false),
        };
        world.client_connects(world.client(client), at, hello);
    }
}

/// How long clients waited for writes, us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half of them no longer.
    pub p50_us: u64,
    /// 99 of 100 no longer.
    pub p99_us: u64,
}

/// What writes took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writes {
    /// Beside the leader.
    pub leader: Latency,
    /// Beside the farthest follower.
    pub follower: Latency,
    /// Beside an observer in that region, if there is one.
    pub observer: Option<Latency>,
    /// Messages for a write, of a hundred: requests, proposals, acknowledgements, commits, INFORMs.
    pub messages_per_100: u64,
    /// Bytes for a write.
    pub bytes_per_write: u64,
}

struct Client {
    site: Site,
    vantage: Vantage,
    sent_us: VecDeque<u64>,
    waited_us: Vec<u64>,
    next_xid: i32,
}

impl Bench {
    /// Clients write in turn, every `gap_us`, each `count` times, whether they are answered or not.
    pub(crate) fn write(&mut self, count: u32, gap_us: u64) -> Result<Writes, String> {
        let mut clients = self.clients()?;
        for client in clients.values_mut() {
            client.send(&mut self.world, &create(client.site));
        }
        self.answered(&mut clients)?;
        clients.values_mut().for_each(|client| client.waited_us.clear());
        self.count_mishaps();
        let mut next_us = self.world.now_us();
        for _ in 0..count {
            for site in clients.keys().copied().collect::<Vec<_>>() {
                let client = clients.get_mut(&site).expect("it is one of them");
                client.send(&mut self.world, &set(site));
                next_us += gap_us;
                self.pass(next_us, &mut clients)?;
            }
        }
        self.answered(&mut clients)?;
        // The last ones' COMMITs and INFORMs.
        let rest_us = self.world.now_us() + self.scale.tick_ms * 1_000;
        self.world.run_until_us(rest_us);
        let sent = self.count_mishaps().of(Purpose::Broadcast);
        let writes = u64::from(count) * clients.len() as u64;
        let latency = |vantage| {
            clients.values().find(|client| client.vantage == vantage).map(|client| client.latency())
        };
        let found = Writes {
            leader: latency(Vantage::Leader).unwrap_or_default(),
            follower: latency(Vantage::Follower).unwrap_or_default(),
            observer: latency(Vantage::Observer),
            messages_per_100: sent.messages * 100 / writes,
            bytes_per_write: sent.bytes / writes,
        };
        for site in clients.keys() {
            self.world.client_closes(*site);
        }
        Ok(found)
    }

    /// Begins to count; gives what was sent. Nobody died meanwhile, so nobody should have given up.
    fn count_mishaps(&mut self) -> Sent {
        let census = self.count_anew();
        self.mishaps += census.traces.iter().filter(|(_, _, trace)| is_mishap(trace)).count() as u64;
        census.sent
    }

    fn clients(&mut self) -> Result<BTreeMap<Site, Client>, String> {
        let leader = self.world.leader().ok_or("nobody leads")?;
        let place = self.scale.place;
        let far = (0..self.scale.voters)
            .filter(|at| *at != leader && self.world.serves(*at))
            .max_by_key(|at| place.one_way_us(leader, *at))
            .ok_or("nobody follows")?;
        let servers = self.scale.settings().servers();
        let observer = (self.scale.voters..servers).find(|at| place.region(*at) == place.region(far));
        let homes =
            [(Vantage::Leader, Some(leader)), (Vantage::Follower, Some(far)), (Vantage::Observer, observer)];
        let mut clients = BTreeMap::new();
        for (vantage, home) in homes {
            let Some(home) = home else { continue };
            let number = vantage.client(place.region(home));
            let site = self.world.client(number);
            let sent_us = VecDeque::from([self.world.now_us()]);
            clients.insert(site, Client { site, vantage, sent_us, waited_us: Vec::new(), next_xid: 1 });
            Vantage::connect(&mut self.world, number, home);
        }
        self.answered(&mut clients)?;
        Ok(clients)
    }

    /// Waits until nobody waits.
    fn answered(&mut self, clients: &mut BTreeMap<Site, Client>) -> Result<(), String> {
        let until_us = self.world.now_us() + PATIENCE_US;
        while clients.values().any(|client| !client.sent_us.is_empty()) {
            if self.world.now_us() > until_us || !self.world.fire_next() {
                return Err("a write was not answered".to_owned());
            }
            hear(&mut self.world, clients)?;
        }
        Ok(())
    }

    fn pass(&mut self, until_us: u64, clients: &mut BTreeMap<Site, Client>) -> Result<(), String> {
        while self.world.next_at_us().is_some_and(|at_us| at_us <= until_us) {
            self.world.fire_next();
            hear(&mut self.world, clients)?;
        }
        self.world.advance_to_us(until_us);
        Ok(())
    }
}

fn hear(world: &mut World, clients: &mut BTreeMap<Site, Client>) -> Result<(), String> {
    while let Some((site, event)) = world.next_client_event() {
        let Some(client) = clients.get_mut(&site) else { continue };
        match event {
            ClientEvent::Lost => return Err("a client lost its connection".to_owned()),
            ClientEvent::Frame(frame) => {
                let sent_us = client.sent_us.pop_front().ok_or("an answer that nobody waits for")?;
                // The node is there when its client wrote before.
                let fine = [ErrorCode::Ok.code(), ErrorCode::NodeExists.code()];
                let failed =
                    ReplyHeader::from_slice(&frame).is_ok_and(|header| !fine.contains(&header.error));
                if client.next_xid > 1 && failed {
                    return Err("a write failed".to_owned());
                }
                client.waited_us.push(world.now_us() - sent_us);
            }
        }
    }
    Ok(())
}

impl Client {
    fn send(&mut self, world: &mut World, request: &Request) {
        let mut body = Writer::new();
        request.encode_body(&mut body);
        let header = RequestHeader { xid: self.next_xid, op: request.op() };
        self.next_xid += 1;
        self.sent_us.push_back(world.now_us());
        world.client_sends(self.site, header, body.into_inner().into());
    }

    fn latency(&self) -> Latency {
        let mut waited_us = self.waited_us.clone();
        waited_us.sort_unstable();
        let at = |percent: usize| waited_us.get((waited_us.len() * percent).div_ceil(100).saturating_sub(1));
        let of = |percent| at(percent).copied().unwrap_or(0);
        Latency { p50_us: of(50), p99_us: of(99) }
    }
}

fn create(site: Site) -> Request {
    let (path, data) = (format!("/c{}", site.0), Some(vec![0; 100]));
    Request::Create { path, data, acl: Acl::open(), flags: 0, with_stat: false }
}

fn is_mishap(trace: &Trace) -> bool {
    matches!(trace, Trace::SteppedDown { .. } | Trace::LearnerDropped { .. })
}

/// 100 bytes.
fn set(site: Site) -> Request {
    Request::SetData { path: format!("/c{}", site.0), data: Some(vec![1; 100]), version: -1 }
}
