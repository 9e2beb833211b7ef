//! Faults by lot: each comes with its own end.

use crate::dice::Dice;
use crate::world::{Action, Site, World};
use std::collections::BTreeSet;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SIGKILL, at whatever the disk is doing; a restart at once or later.
    Kill,
    /// SIGKILL between two effects of one event.
    KillWithin,
    /// A machine loses power.
    PowerOff,
    /// Several or all machines lose power at once and come back in some order.
    Blackout,
    /// SIGSTOP, SIGCONT.
    Pause,
    /// Two groups hear nothing of each other.
    Split,
    /// One direction of a link, or all that a server sends or hears.
    OneWay,
    /// The leader hears and reaches its clients alone, long enough to be replaced: what it proposes meanwhile
    /// only its own disk has.
    Strand,
    /// Each server hears a majority, no two the same.
    Ring,
    /// A client's link to its server carries nothing, one way or both.
    ClientCut,
    /// Connections between two servers break.
    Reset,
    /// … for one side only.
    HalfOpen,
    /// What is under way arrives later.
    Stall,
    /// A disk becomes slow, or hangs.
    SlowDisk,
    /// An fsync fails.
    FailDisk,
    /// A disk is full.
    FullDisk,
    /// A bit flips in a closed file.
    FlipBit,
    /// A wall clock jumps.
    JumpClock,
    /// A server that is down comes back.
    Revive,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Kill,
        Self::KillWithin,
        Self::PowerOff,
        Self::Blackout,
        Self::Pause,
        Self::Split,
        Self::OneWay,
        Self::Strand,
        Self::Ring,
        Self::ClientCut,
        Self::Reset,
        Self::HalfOpen,
        Self::Stall,
        Self::SlowDisk,
        Self::FailDisk,
        Self::FullDisk,
        Self::FlipBit,
        Self::JumpClock,
        Self::Revive,
    ];

    /// The name in the parameters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::KillWithin => "kill-within",
            Self::PowerOff => "power-off",
            Self::Blackout => "blackout",
            Self::Pause => "pause",
            Self::Split => "split",
            Self::OneWay => "one-way",
            Self::Strand => "strand",
            Self::Ring => "ring",
            Self::ClientCut => "client-cut",
            Self::Reset => "reset",
            Self::HalfOpen => "half-open",
            Self::Stall => "stall",
            Self::SlowDisk => "slow-disk",
            Self::FailDisk => "fail-disk",
            Self::FullDisk => "full-disk",
            Self::FlipBit => "flip-bit",
            Self::JumpClock => "jump-clock",
            Self::Revive => "revive",
        }
    }
}

/// Actions, each so much later than the fault, us.
pub(super) type Timed = Vec<(u64, Action)>;

/// Draws one fault of a kind: what strikes now, and what ends it.
pub(super) fn draw(kind: Kind, world: &World, leader_permille: u64, dice: &mut Dice) -> Timed {
    let servers = world.settings().servers();
    let patience_us = world.settings().tick_ms * world.settings().sync_limit * 1_000;
    let victim = victim(world, leader_permille, dice);
    // From a blink to far longer than anybody waits.
    let lasts_us =
        dice.pick(&[1_000, patience_us / 8, patience_us / 2, patience_us * 3 / 2, patience_us * 4]);
    let lasts_us = dice.between(lasts_us / 2, lasts_us);
    let down_us = if dice.permille(300) { dice.below(2_000) } else { lasts_us };
    match kind {
        Kind::Kill => {
            vec![(0, Action::Kill(victim, small(dice.below(7)))), (down_us, Action::Start(victim))]
        }
        Kind::KillWithin => {
            vec![
                (0, Action::KillAfter(victim, small(dice.below(9)))),
                (down_us + 1_000, Action::Start(victim)),
            ]
        }
        Kind::PowerOff => vec![
            (0, Action::PowerOff(victim, small(dice.below(7)), dice.bits())),
            (down_us, Action::Start(victim)),
        ],
        Kind::Blackout => {
            let all = dice.permille(400);
            let mut timed = Vec::new();
            for at in (0..servers).filter(|_| all || dice.permille(600)).collect::<Vec<_>>() {
                timed.push((0, Action::PowerOff(at, small(dice.below(7)), dice.bits())));
                timed.push((down_us + dice.below(patience_us), Action::Start(at)));
            }
            timed
        }
        Kind::Pause => vec![(0, Action::Pause(victim)), (lasts_us, Action::Resume(victim))],
        Kind::Split => {
            let alone = dice.permille(400);
            let group: BTreeSet<u16> = if alone {
                BTreeSet::from([victim])
            } else {
                (0..servers).filter(|_| dice.permille(500)).collect()
            };
            let across = pairs(servers, |from, to| group.contains(&from) != group.contains(&to));
            cut(&across, lasts_us)
        }
        Kind::OneWay => {
            let links = match dice.below(3) {
                0 => pairs(servers, |from, _| from == victim),
                1 => pairs(servers, |_, to| to == victim),
                _ => {
                    let other = u16::try_from(dice.below(servers.into())).expect("below a u16");
                    pairs(servers, |from, to| from == victim && to == other)
                }
            };
            cut(&links, lasts_us)
        }
        Kind::Strand => strand(world.leader().unwrap_or(victim), servers, patience_us, dice),
        Kind::Ring => {
            let reach = servers / 4 + u16::from(!servers.is_multiple_of(4)).min(servers / 2);
            let apart = |from: u16, to: u16| {
                let around = (to + servers - from) % servers;
                around.min(servers - around) > reach.max(1)
            };
            cut(&pairs(servers, apart), lasts_us)
        }
        Kind::ClientCut => {
            let client = world.client(any(world.settings().clients.max(1), dice));
            let (there, back) = ((client, Site(victim)), (Site(victim), client));
            let links = dice.pick(&[vec![there], vec![back], vec![there, back]]);
            let cuts = links.iter().map(|(from, to)| (0, Action::Cut(*from, *to)));
            let heals = links.iter().map(|(from, to)| (lasts_us, Action::HealLink(*from, *to)));
            cuts.chain(heals).collect()
        }
        Kind::Reset => vec![(0, Action::Reset(Site(victim), Site(any(servers, dice))))],
        Kind::HalfOpen => vec![(0, Action::HalfOpen(Site(victim), Site(any(servers, dice))))],
        Kind::Stall => {
            let (from, to) = (Site(victim), Site(any(servers, dice)));
            vec![(0, Action::Stall(from, to, lasts_us.min(patience_us)))]
        }
        Kind::SlowDisk => {
            if dice.permille(500) {
                vec![(0, Action::HoldDisk(victim)), (lasts_us, Action::ReleaseDisk(victim))]
            } else {
                let by_us = dice.below(patience_us / 2);
                vec![(0, Action::SlowDisk(victim, by_us)), (lasts_us, Action::SlowDisk(victim, 0))]
            }
        }
        Kind::FailDisk => vec![(0, Action::FailDisk(victim)), (lasts_us, Action::Start(victim))],
        Kind::FullDisk => vec![
            (0, Action::FillDisk(victim)),
            (lasts_us, Action::FreeDisk(victim)),
            (lasts_us + 1_000, Action::Start(victim)),
        ],
        Kind::FlipBit => flip_bit(world, dice),
        Kind::JumpClock => {
            let ms = i64::try_from(dice.below(7_200_000)).expect("two hours") - 3_600_000;
            vec![(0, Action::JumpClock(victim, ms))]
        }
        Kind::Revive => {
            (0..servers).filter(|at| world.server(*at).is_none()).map(|at| (0, Action::Start(at))).collect()
        }
    }
}

/// Cuts the leader off for so long that the others replace it.
fn strand(leader: u16, servers: u16, patience_us: u64, dice: &mut Dice) -> Timed {
    let lasts_us = dice.between(patience_us, patience_us * 3);
    let mut timed = cut(&pairs(servers, |from, to| from == leader || to == leader), lasts_us);
    if dice.permille(400) {
        // It comes back with a disk that takes its time, and loses whom it comes back to.
        timed.push((lasts_us, Action::SlowDisk(leader, dice.below(patience_us / 4))));
        for _ in 0..4 {
            let at_us = lasts_us + dice.below(2 * patience_us);
            timed.push((at_us, Action::Reset(Site(leader), Site(any(servers, dice)))));
        }
        timed.push((lasts_us + 2 * patience_us, Action::SlowDisk(leader, 0)));
    }
    timed
}

/// A damaged server may never start again, so no more than a minority is ever damaged.
fn flip_bit(world: &World, dice: &mut Dice) -> Timed {
    let voters = world.settings().voters;
    let minority = (voters - 1) / 2;
    // The same few, however often this strikes.
    let victim = voters - 1 - u16::try_from(dice.below(minority.max(1).into())).expect("below a u16");
    if minority == 0 {
        return Vec::new();
    }
    vec![
        (0, Action::Kill(victim, 0)),
        (1, Action::FlipBit(victim, dice.bits())),
        (dice.below(100_000) + 2, Action::Start(victim)),
    ]
}

fn victim(world: &World, leader_permille: u64, dice: &mut Dice) -> u16 {
    let leader = world.leader().filter(|_| dice.permille(leader_permille));
    let other = any(world.settings().servers(), dice);
    leader.unwrap_or(other)
}

fn any(servers: u16, dice: &mut Dice) -> u16 {
    u16::try_from(dice.below(servers.into())).expect("below a u16")
}

fn small(number: u64) -> u32 {
    u32::try_from(number).expect("a small number")
}

fn pairs(servers: u16, apart: impl Fn(u16, u16) -> bool) -> Vec<(u16, u16)> {
    let mut pairs = Vec::new();
    for from in 0..servers {
        pairs.extend((0..servers).filter(|to| *to != from && apart(from, *to)).map(|to| (from, to)));
    }
    pairs
}

fn cut(links: &[(u16, u16)], lasts_us: u64) -> Timed {
    let cuts = links.iter().map(|(from, to)| (0, Action::Cut(Site(*from), Site(*to))));
    let heals = links.iter().map(|(from, to)| (lasts_us, Action::HealLink(Site(*from), Site(*to))));
    cuts.chain(heals).collect()
}
