//! Faults drawn by lot: crashes, pauses, slow disks, cut links; and the end of them all.

use crate::dice::Dice;
use crate::support::World;

/// What is broken now. Links are the world's to remember.
pub(crate) struct Faults {
    down: Vec<i64>,
    paused: Vec<i64>,
    /// Their disks finish nothing.
    held: Vec<i64>,
    /// A fault happens once in so many steps.
    rarity: u64,
}

impl Faults {
    pub(crate) fn new(rarity: u64) -> Self {
        Self { down: Vec::new(), paused: Vec::new(), held: Vec::new(), rarity }
    }

    pub(crate) fn maybe(&mut self, world: &mut World, dice: &mut Dice) {
        if !dice.once_in(self.rarity) {
            return;
        }
        let ids = world.ids();
        let id = dice.one_of(&ids);
        let up = !self.down.contains(&id);
        match dice.roll(14) {
            0 | 1 if up => {
                self.crash(id, world, dice);
                self.down.push(id);
            }
            2..=4 => {
                if let Some(id) = dice.take(&mut self.down) {
                    world.start(id);
                }
            }
            5 if up && !self.paused.contains(&id) => {
                world.pause(id);
                self.paused.push(id);
            }
            6 => {
                if let Some(id) = self.paused.pop() {
                    world.resume(id);
                }
            }
            7 => {
                let (one, other): (Vec<i64>, Vec<i64>) = ids.iter().partition(|_| dice.once_in(2));
                world.cut(&one, &other);
            }
            8 => world.cut_one_way(id, dice.one_of(&ids)),
            9 => world.heal(),
            10 if up && !self.held.contains(&id) => {
                world.hold_disk(id);
                self.held.push(id);
            }
            11 => {
                if let Some(id) = self.held.pop() {
                    world.release_disk(id);
                }
            }
            12 => self.held.iter().for_each(|id| world.release_disk_once(*id)),
            _ => self.against_the_leader(world, dice),
        }
    }

    /// Cuts the leader off, or ends it and starts it at once.
    fn against_the_leader(&mut self, world: &mut World, dice: &mut Dice) {
        let Some(leader) = world.leader() else { return };
        if dice.once_in(2) {
            let others: Vec<i64> = world.ids().into_iter().filter(|id| *id != leader).collect();
            world.cut(&[leader], &others);
        } else {
            self.crash(leader, world, dice);
            world.start(leader);
        }
    }

    /// The disk may have finished what nobody was told of.
    fn crash(&mut self, id: i64, world: &mut World, dice: &mut Dice) {
        world.crash_late(id, dice.roll(4));
        self.paused.retain(|other| *other != id);
        self.held.retain(|other| *other != id);
    }

    /// Ends all faults, but lets only a bare majority come back: it must serve, and go on serving. Then
    /// the others follow.
    pub(crate) fn end(self, world: &mut World, dice: &mut Dice) {
        assert_eq!(world.fatal, [], "no server contradicted itself");
        world.heal();
        self.held.into_iter().for_each(|id| world.release_disk(id));
        self.paused.into_iter().for_each(|id| world.resume(id));
        let mut up = world.voters();
        let majority = up.len() / 2 + 1;
        let mut off = world.observers();
        while up.len() > majority {
            off.extend(dice.take(&mut up));
        }
        off.iter().filter(|id| !self.down.contains(id)).for_each(|id| world.crash(*id));
        up.iter().filter(|id| self.down.contains(id)).for_each(|id| world.start(*id));
        let serves = |world: &World| up.iter().all(|id| world.serving(*id)) && world.leader().is_some();
        world.run_until("a bare majority serves", serves);
        world.run_for(3_000);
        assert!(serves(world), "the majority {up:?} goes on serving");
        off.into_iter().for_each(|id| world.start(id));
        all_serve(world);
    }
}

pub(crate) fn all_serve(world: &mut World) {
    world.run_until("all serve", |world| {
        world.ids().into_iter().all(|id| world.serving(id)) && world.leader().is_some()
    });
    world.run_for(1_000);
}
