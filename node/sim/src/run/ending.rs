//! The liveness phase: faults end, first for a bare majority, then for all.

use super::{Flow, Run, broken, read, write};
use crate::world::{Action, World};
use std::collections::BTreeSet;
use zab_wire::Zxid;

/// How long a majority must go on serving once it does, ticks.
const STABLE_TICKS: u64 = 20;

impl Run<'_> {
    /// Ends all faults and holds the world to its promises.
    pub(super) fn end_well(&mut self) -> Flow {
        let voters = self.parameters.world.voters;
        let mut up: Vec<u16> = (0..voters).filter(|at| !self.is_damaged(*at)).collect();
        let majority = usize::from(voters / 2 + 1);
        while up.len() > majority {
            let place = self.dice.index(up.len());
            up.remove(place);
        }
        self.heal(&up);
        let began_us = self.world.now_us();
        self.wait_for("a bare majority serves", &up)?;
        self.recovery_us = self.world.now_us() - began_us;
        self.probe(&up, 1)?;
        let stable_us = self.world.now_us() + STABLE_TICKS * self.parameters.world.tick_ms * 1_000;
        self.pass(stable_us)?;
        if !all_serve(&self.world, &up) {
            return Err(broken("StaysLive", format!("the majority {} stops serving", names(&up))));
        }
        let all: Vec<u16> = (0..self.parameters.world.servers()).filter(|at| !self.is_damaged(*at)).collect();
        self.start(&all);
        self.wait_for("all serve", &all)?;
        self.probe(&all, 2)?;
        self.read_everything(&all)?;
        for at in &all {
            let chance = self.dice.bits();
            self.world.act(Action::PowerOff(*at, 0, chance));
        }
        self.start(&all);
        self.wait_for("all serve after a blackout", &all)?;
        self.read_everything(&all)?;
        self.agree(&all)
    }

    fn is_damaged(&self, at: u16) -> bool {
        self.world.ledger().server(at).damaged
    }

    /// Ends all faults for these; the others lose their power.
    fn heal(&mut self, up: &[u16]) {
        for at in 0..self.parameters.world.servers() {
            self.world.disarm(at);
            self.world.act(Action::SlowDisk(at, 0));
            self.world.act(Action::FreeDisk(at));
            self.world.act(Action::ReleaseDisk(at));
            if up.contains(&at) {
                self.world.act(Action::Resume(at));
            } else {
                let chance = self.dice.bits();
                self.world.act(Action::PowerOff(at, 0, chance));
            }
        }
        self.world.act(Action::Heal);
        self.start(up);
    }

    fn start(&mut self, servers: &[u16]) {
        for at in servers {
            self.world.act(Action::Start(*at));
        }
    }

    /// How long recovering may take: twice what one vain attempt costs (a leader is missed for syncLimit, the next
    /// one waits in vain for initLimit, votes are said again after a second at the latest), and twice that. The
    /// slowest of thousands of worlds took half of it.
    fn bound_us(&self) -> u64 {
        let world = &self.parameters.world;
        let ticks = world.init_limit + world.sync_limit;
        let bound_us = 2 * (ticks * world.tick_ms + 2_000) * 1_000;
        // Clocks may run slow.
        bound_us * 1_000_000 / (1_000_000 - world.drift_ppm.min(900_000))
    }

    /// Waits until all of these serve; one that died of the last fault it met is started again.
    fn wait_for(&mut self, what: &str, servers: &[u16]) -> Flow {
        let until_us = self.world.now_us() + self.bound_us();
        while self.world.now_us() < until_us {
            if all_serve(&self.world, servers) {
                return Ok(());
            }
            for at in servers {
                if self.world.server(*at).is_none() {
                    self.world.act(Action::Start(*at));
                    if self.world.server(*at).is_none() {
                        let why =
                            format!("server {} refuses to start on a disk that nothing has damaged", at + 1);
                        return Err(broken("StartsAgain", why));
                    }
                }
            }
            let step_us = self.world.now_us() + self.parameters.world.tick_ms * 1_000 / 4;
            self.pass(step_us)?;
        }
        let idle: Vec<String> = servers
            .iter()
            .filter(|at| !self.world.serves(**at))
            .map(|at| {
                let state = self.world.server(*at).map_or("dead", |server| server.peer_state().name());
                format!("server {} is {state}", at + 1)
            })
            .collect();
        let bound_ms = self.bound_us() / 1_000;
        Err(broken("Recovers", format!("{what}: not within {bound_ms} ms ({})", idle.join(", "))))
    }

    /// Every one of these answers a write and a read.
    fn probe(&mut self, servers: &[u16], round: i64) -> Flow {
        if self.workers.count() == 0 {
            return Ok(());
        }
        for at in servers {
            let key = format!("probe{}", at + 1);
            self.ask(*at, &format!("server {} is probed", at + 1), |run, _| {
                run.workers.prepare(&mut run.world, 0, &key.as_str().into());
            })?;
            self.ask(*at, &format!("server {} is written to", at + 1), |run, tries| {
                run.workers.invoke(&mut run.world, 0, write(&key, round * 1_000_000 + tries));
            })?;
        }
        Ok(())
    }

    /// Every key, at every one of these.
    fn read_everything(&mut self, servers: &[u16]) -> Flow {
        if self.workers.count() == 0 {
            return Ok(());
        }
        let keys: BTreeSet<String> =
            self.workers.history.ops().iter().filter_map(|op| op.key.clone()).collect();
        for at in servers {
            for key in &keys {
                self.ask(*at, &format!("server {} is read", at + 1), |run, _| {
                    run.workers.invoke(&mut run.world, 0, read(key, true));
                })?;
            }
        }
        Ok(())
    }

    /// Has the first worker ask a server something until it is done. `begin` is told how often that was tried.
    fn ask(&mut self, at: u16, what: &str, begin: impl Fn(&mut Self, i64)) -> Flow {
        let until_us = self.world.now_us() + self.bound_us();
        self.workers.send_home(&mut self.world, 0, at);
        let mut tries = 0;
        let mut under_way = false;
        while self.world.now_us() < until_us {
            if under_way && !self.workers.is_busy(0) {
                if self.workers.last_was_done() {
                    return Ok(());
                }
                under_way = false;
            }
            if !under_way && self.workers.is_idle(0) {
                tries += 1;
                begin(self, tries);
                under_way = true;
            }
            let next_us = [self.world.next_at_us(), self.workers.next_at_us()].into_iter().flatten().min();
            let Some(next_us) = next_us else { break };
            self.pass(next_us.max(self.world.now_us()))?;
        }
        Err(broken("Answers", format!("{what}: not within {} ms", self.bound_us() / 1_000)))
    }

    /// With nobody asking for anything, all have the same history applied before long; their trees were compared
    /// step by step. Sessions still expire, so there need not be a moment at which nothing more is to come.
    fn agree(&mut self, servers: &[u16]) -> Flow {
        let until_us = self.world.now_us() + self.bound_us();
        loop {
            let applied: BTreeSet<Zxid> = servers
                .iter()
                .filter_map(|at| self.world.server(*at))
                .map(zab_core::Server::applied)
                .collect();
            if applied.len() <= 1 {
                return Ok(());
            }
            if self.world.now_us() >= until_us {
                let applied: Vec<String> = applied.iter().map(ToString::to_string).collect();
                return Err(broken(
                    "Converges",
                    format!("at rest servers have applied {}", applied.join(" and ")),
                ));
            }
            let next_us = self.world.now_us() + self.parameters.world.tick_ms * 1_000 / 20;
            self.pass(next_us)?;
        }
    }
}

fn all_serve(world: &World, servers: &[u16]) -> bool {
    world.leader().is_some() && servers.iter().all(|at| world.serves(*at))
}

fn names(servers: &[u16]) -> String {
    let names: Vec<String> = servers.iter().map(|at| (at + 1).to_string()).collect();
    names.join(",")
}
