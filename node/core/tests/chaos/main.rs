//! Random faults on a small world: whatever happens, what was acknowledged stays, no session sees time
//! go back, and all servers agree in the end. A failure prints its seed;
//! `SEED=N cargo test -p zab-core --test chaos` plays it again, `SEEDS=N` plays as many.

mod actor;
mod agreement;
mod dice;
mod faults;
mod ledger;
#[path = "../support/mod.rs"]
mod support;

use actor::Actor;
use dice::Dice;
use faults::Faults;
use ledger::{Ledger, Tally};
use support::World;
use zab_core::Bug;

const STEPS: u32 = 200;

fn play(seed: u64, bug: Option<Bug>) -> Tally {
    let mut dice = Dice::new(seed);
    let voters = dice.one_of(&[3, 5]);
    // Not by the dice: worlds without observers stay what they were.
    let observers = i64::try_from(seed % 4).expect("it is small") / 2;
    let mut world = World::with_observers(voters, observers);
    // As few as a learner can miss: the leader sends DIFF, or what its disk holds, or SNAP.
    world.snap_count = dice.one_of(&[2, 5, 20, 1_000]);
    world.commit_log_count = dice.one_of(&[1, 2, 5, 30]);
    if let Some(bug) = bug {
        world.plant(bug);
    }
    world.ids().into_iter().for_each(|id| world.start(id));
    world.run_for(1_000);
    let mut ledger = Ledger::default();
    let xid_per_connection = seed.is_multiple_of(2);
    let mut actors: Vec<Actor> = (0..4).map(|_| Actor::new(xid_per_connection, &mut ledger)).collect();
    let mut faults = Faults::new(2 + dice.roll(8));
    for _ in 0..STEPS {
        for id in world.observers() {
            let gave_up = world.traced(id, "learner.proposals_abandoned");
            assert_eq!(gave_up, 0, "the observer {id} had logged what was not committed");
        }
        world.forget_journal();
        faults.maybe(&mut world, &mut dice);
        for _ in 0..dice.roll(4) {
            for actor in &mut actors {
                if dice.once_in(2) {
                    actor.act(&mut world, &mut dice, &mut ledger);
                }
            }
            for _ in 0..dice.roll(20) {
                world.deliver_drawn(|open| dice.roll(open));
            }
        }
        if !dice.once_in(3) {
            world.run_for(dice.roll(250));
        }
        actors.iter_mut().for_each(|actor| actor.collect(&mut world, &mut ledger));
    }
    faults.end(&mut world, &mut dice);
    actors.iter_mut().for_each(|actor| actor.collect(&mut world, &mut ledger));
    agreement::judge(&mut world, &mut ledger);
    ledger.tally
}

#[test]
fn acknowledged_writes_survive_random_faults() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    if let Some(seed) = number("SEED") {
        println!("{:?}", play(seed, None));
        return;
    }
    let seeds = number("SEEDS").unwrap_or(250);
    let mut tally = Tally::default();
    for seed in 0..seeds {
        let played = std::panic::catch_unwind(|| play(seed, None));
        tally.add(played.unwrap_or_else(|_| panic!("seed {seed} failed: SEED={seed}")));
    }
    println!("{seeds} seeds: {tally:?}");
    assert!(
        tally.writes > 100 * seeds && tally.synced_reads > 50 * seeds && tally.moves > 5 * seeds,
        "in {seeds} seeds only {tally:?}: the test has become vacuous"
    );
}

/// The same world must say *no* to servers that lose acknowledged writes, or show less than they hold.
#[test]
fn the_world_catches_every_planted_bug() {
    for bug in Bug::ALL {
        let caught = (0..60).find(|seed| std::panic::catch_unwind(|| play(*seed, Some(bug))).is_err());
        println!("{}: {caught:?}", bug.name());
        assert!(caught.is_some(), "{} survives 60 seeds", bug.name());
    }
}
