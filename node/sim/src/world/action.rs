//! What is done to a world from outside, and how it is written: one line of a script each.

use super::process::End;
use super::wire::Site;
use super::{Due, Record, World};
use std::fmt;
use std::str::FromStr;

/// Something done to the world. Servers are numbered from 0 here and from 1 in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Start a server on what its disk holds.
    Start(u16),
    /// SIGKILL, when the disk had taken so many further steps of what it was doing.
    Kill(u16, u32),
    /// SIGKILL in the middle of what an event causes: after so many of its effects.
    KillAfter(u16, u32),
    /// The machine loses its power: what was not synced is lost or torn, nobody is told. The last number
    /// decides what exactly.
    PowerOff(u16, u32, u64),
    /// SIGSTOP
    Pause(u16),
    /// SIGCONT
    Resume(u16),
    /// Nothing gets from one site to another any more; it waits.
    Cut(Site, Site),
    /// It gets through again.
    HealLink(Site, Site),
    /// All links carry again.
    Heal,
    /// All connections between two sites break.
    Reset(Site, Site),
    /// All connections between two sites break for the first; the second is not told.
    HalfOpen(Site, Site),
    /// What is under way from one site to another takes longer, us.
    Stall(Site, Site, u64),
    /// What a site has sent and has not arrived is lost.
    Lose(Site),
    /// A disk finishes nothing until it is released.
    HoldDisk(u16),
    /// It goes on.
    ReleaseDisk(u16),
    /// A held disk finishes what it is doing and no more.
    StepDisk(u16),
    /// A disk takes longer for everything, us; 0 ends it.
    SlowDisk(u16, u64),
    /// The next fsync of a disk fails.
    FailDisk(u16),
    /// A disk has no room left.
    FillDisk(u16),
    /// It has again.
    FreeDisk(u16),
    /// One bit flips in a closed file of a server that does not run; the number decides which.
    FlipBit(u16, u64),
    /// The disk of a server that does not run is replaced by an empty one.
    Wipe(u16),
    /// A wall clock jumps, ms.
    JumpClock(u16, i64),
}

impl World {
    /// Does something to the world. What makes no sense now, such as resuming what is not paused, does
    /// nothing, nor does what names servers that do not exist: a shrunk list of actions may have lost what it
    /// answered to.
    pub fn act(&mut self, action: Action) {
        if !self.has(&action) {
            return;
        }
        self.journal.note(self.now_us, || Record::Action(action));
        self.hash_in([4, self.now_us, 0]);
        match action {
            Action::Start(at) => self.start(at),
            Action::Kill(at, disk_steps) => {
                if self.server(at).is_some() {
                    self.end(at, End::Killed, disk_steps, 0);
                }
            }
            Action::KillAfter(at, effects) => {
                let host = self.host(at);
                host.dies_after = host.server.is_some().then_some(effects);
            }
            Action::PowerOff(at, disk_steps, chance) => self.end(at, End::PowerLost, disk_steps, chance),
            Action::Pause(at) => {
                let host = self.host(at);
                host.paused = host.server.is_some();
            }
            Action::Resume(at) => self.go_on(at),
            Action::Cut(from, to) => self.cuts.cut(from, to),
            Action::HealLink(from, to) => {
                self.cuts.heal(from, to);
                self.resume_lanes();
            }
            Action::Heal => {
                self.cuts.heal_all();
                self.resume_lanes();
            }
            Action::Reset(one, other) => {
                self.reset(one, other);
            }
            Action::HalfOpen(told, untold) => {
                self.half_open(told, untold);
            }
            Action::Stall(from, to, us) => self.stall(from, to, us),
            Action::Lose(from) => self.lose_in_flight(from),
            Action::HoldDisk(at) => self.host(at).disk.held = true,
            Action::ReleaseDisk(at) => {
                self.host(at).disk.held = false;
                self.resume_disk(at);
            }
            Action::StepDisk(at) => {
                let host = self.host(at);
                let held = std::mem::take(&mut host.disk.held);
                host.disk.begin();
                let process = host.process;
                self.disk_is_done(at, process);
                self.host(at).disk.held = held;
            }
            Action::SlowDisk(at, us) => self.host(at).disk.slow_us = us,
            Action::FailDisk(at) => self.host(at).disk.fail(),
            Action::FillDisk(at) => self.host(at).disk.fill(),
            Action::FreeDisk(at) => self.host(at).disk.free(),
            Action::FlipBit(at, chance) => self.flip_bit(at, chance),
            Action::Wipe(at) => {
                if self.server(at).is_none() {
                    self.host(at).disk.wipe();
                    self.see(&crate::properties::Seen::Damaged { at });
                }
            }
            Action::JumpClock(at, ms) => self.host(at).clock.wall_off_ms += ms,
        }
    }

    /// Takes back what was done to a server and has not struck yet: a death in the middle of its next step, a
    /// failure of its next fsync.
    pub fn disarm(&mut self, at: u16) {
        let host = self.host(at);
        host.dies_after = None;
        host.disk.fails_no_more();
    }

    fn host(&mut self, at: u16) -> &mut super::host::Host {
        &mut self.hosts[usize::from(at)]
    }

    /// Whether everybody exists whom an action names.
    fn has(&self, action: &Action) -> bool {
        let servers = self.settings.servers();
        let sites = servers + self.settings.clients;
        match *action {
            Action::Heal => true,
            Action::Start(at)
            | Action::Kill(at, _)
            | Action::KillAfter(at, _)
            | Action::PowerOff(at, ..)
            | Action::Pause(at)
            | Action::Resume(at)
            | Action::HoldDisk(at)
            | Action::ReleaseDisk(at)
            | Action::StepDisk(at)
            | Action::SlowDisk(at, _)
            | Action::FailDisk(at)
            | Action::FillDisk(at)
            | Action::FreeDisk(at)
            | Action::FlipBit(at, _)
            | Action::Wipe(at)
            | Action::JumpClock(at, _) => at < servers,
            Action::Cut(one, other)
            | Action::HealLink(one, other)
            | Action::Reset(one, other)
            | Action::HalfOpen(one, other)
            | Action::Stall(one, other, _) => one.0 < sites && other.0 < sites,
            Action::Lose(from) => from.0 < sites,
        }
    }

    fn resume_disk(&mut self, at: u16) {
        let host = self.host(at);
        if host.disk.is_working() {
            let process = host.process;
            self.agenda.note(self.now_us, Due::Disk(at, process));
        } else {
            self.kick_disk(at);
        }
    }

    fn flip_bit(&mut self, at: u16, chance: u64) {
        if self.server(at).is_none() && self.host(at).disk.flip_bit(chance) {
            self.see(&crate::properties::Seen::Damaged { at });
        }
    }
}

impl fmt::Display for Site {
    /// A server as in a script; clients are told apart by those who know how many servers there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 + 1)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match *self {
            Self::Heal => write!(f, "{name}"),
            Self::Start(at)
            | Self::Pause(at)
            | Self::Resume(at)
            | Self::HoldDisk(at)
            | Self::ReleaseDisk(at)
            | Self::StepDisk(at)
            | Self::FailDisk(at)
            | Self::FillDisk(at)
            | Self::FreeDisk(at)
            | Self::Wipe(at)
            | Self::Kill(at, 0) => write!(f, "{name} {}", at + 1),
            Self::Kill(at, number) | Self::KillAfter(at, number) => write!(f, "{name} {} {number}", at + 1),
            Self::PowerOff(at, steps, chance) => write!(f, "{name} {} {steps} {chance}", at + 1),
            Self::Cut(from, to) | Self::HealLink(from, to) => write!(f, "{name} {from} -> {to}"),
            Self::Reset(one, other) | Self::HalfOpen(one, other) => write!(f, "{name} {one} {other}"),
            Self::Stall(from, to, us) => write!(f, "{name} {from} -> {to} {us}us"),
            Self::Lose(from) => write!(f, "{name} {from}"),
            Self::SlowDisk(at, us) => write!(f, "{name} {} {us}us", at + 1),
            Self::FlipBit(at, chance) => write!(f, "{name} {} {chance}", at + 1),
            Self::JumpClock(at, ms) => write!(f, "{name} {} {ms}ms", at + 1),
        }
    }
}

impl Action {
    /// The word that a script says.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Kill(..) => "kill",
            Self::KillAfter(..) => "kill-after",
            Self::PowerOff(..) => "power-off",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Cut(..) => "cut",
            Self::HealLink(..) => "heal-link",
            Self::Heal => "heal",
            Self::Reset(..) => "reset",
            Self::HalfOpen(..) => "half-open",
            Self::Stall(..) => "stall",
            Self::Lose(_) => "lose",
            Self::HoldDisk(_) => "hold-disk",
            Self::ReleaseDisk(_) => "release-disk",
            Self::StepDisk(_) => "step-disk",
            Self::SlowDisk(..) => "slow-disk",
            Self::FailDisk(_) => "fail-disk",
            Self::FillDisk(_) => "fill-disk",
            Self::FreeDisk(_) => "free-disk",
            Self::FlipBit(..) => "flip-bit",
            Self::Wipe(_) => "wipe",
            Self::JumpClock(..) => "jump-clock",
        }
    }
}

/// A line that is no action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAction(pub String);

impl fmt::Display for NoAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is nothing that can be done to a world", self.0)
    }
}

impl std::error::Error for NoAction {}

impl FromStr for Action {
    type Err = NoAction;

    fn from_str(line: &str) -> Result<Self, NoAction> {
        let words: Vec<&str> = line.split_whitespace().collect();
        parse(&words).ok_or_else(|| NoAction(line.to_owned()))
    }
}

fn parse(words: &[&str]) -> Option<Action> {
    let server = |word: &str| word.parse::<u16>().ok()?.checked_sub(1);
    let site = |word: &str| Some(Site(server(word)?));
    let us = |word: &str| word.strip_suffix("us")?.parse::<u64>().ok();
    Some(match *words {
        ["start", at] => Action::Start(server(at)?),
        ["kill", at] => Action::Kill(server(at)?, 0),
        ["kill", at, steps] => Action::Kill(server(at)?, steps.parse().ok()?),
        ["kill-after", at, effects] => Action::KillAfter(server(at)?, effects.parse().ok()?),
        ["power-off", at, steps, chance] => {
            Action::PowerOff(server(at)?, steps.parse().ok()?, chance.parse().ok()?)
        }
        ["pause", at] => Action::Pause(server(at)?),
        ["resume", at] => Action::Resume(server(at)?),
        ["cut", from, "->", to] => Action::Cut(site(from)?, site(to)?),
        ["heal-link", from, "->", to] => Action::HealLink(site(from)?, site(to)?),
        ["heal"] => Action::Heal,
        ["reset", one, other] => Action::Reset(site(one)?, site(other)?),
        ["half-open", told, untold] => Action::HalfOpen(site(told)?, site(untold)?),
        ["stall", from, "->", to, by] => Action::Stall(site(from)?, site(to)?, us(by)?),
        ["lose", from] => Action::Lose(site(from)?),
        ["hold-disk", at] => Action::HoldDisk(server(at)?),
        ["release-disk", at] => Action::ReleaseDisk(server(at)?),
        ["step-disk", at] => Action::StepDisk(server(at)?),
        ["slow-disk", at, by] => Action::SlowDisk(server(at)?, us(by)?),
        ["fail-disk", at] => Action::FailDisk(server(at)?),
        ["fill-disk", at] => Action::FillDisk(server(at)?),
        ["free-disk", at] => Action::FreeDisk(server(at)?),
        ["flip-bit", at, chance] => Action::FlipBit(server(at)?, chance.parse().ok()?),
        ["wipe", at] => Action::Wipe(server(at)?),
        ["jump-clock", at, by] => Action::JumpClock(server(at)?, by.strip_suffix("ms")?.parse().ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_as_it_is_written() {
        let (one, two) = (Site(0), Site(1));
        let actions = [
            Action::Start(0),
            Action::Kill(1, 0),
            Action::Kill(1, 3),
            Action::KillAfter(2, 5),
            Action::PowerOff(2, 1, u64::MAX),
            Action::Pause(0),
            Action::Resume(0),
            Action::Cut(one, two),
            Action::HealLink(two, one),
            Action::Heal,
            Action::Reset(one, two),
            Action::HalfOpen(one, two),
            Action::Stall(one, two, 1_500),
            Action::Lose(one),
            Action::HoldDisk(0),
            Action::ReleaseDisk(0),
            Action::StepDisk(0),
            Action::SlowDisk(0, 7),
            Action::FailDisk(0),
            Action::FillDisk(0),
            Action::FreeDisk(0),
            Action::FlipBit(0, 9),
            Action::Wipe(0),
            Action::JumpClock(0, -3_600_000),
        ];
        for action in actions {
            assert_eq!(action.to_string().parse(), Ok(action), "{action}");
        }
        for nonsense in ["", "kill", "kill 0", "cut 1 2", "stall 1 -> 2 5", "explode 1"] {
            assert_eq!(nonsense.parse::<Action>(), Err(NoAction(nonsense.to_owned())));
        }
    }
}
