//! Keys that come into use, are used for a while, and are retired: what every workload over rotating
//! keys needs. It chooses keys and remembers them; what is done to them is the workload's business.
//!
//! Most keys live long, so that many operations meet on them; one place in five is for brief keys, which
//! are retired after a handful. On a key that lives on, the next write covers up whatever a faulty node did
//! to it; what happened to the last write of a key stays to be seen by the final reads.
//!
//! A key must exist in the system under test before it is used, so keys are prepared ahead: as many
//! spares as there are keys in use, which makes rotation independent of how the cluster fares.

use crate::Settings;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Of so many keys in use one is brief.
const KEYS_PER_BRIEF_ONE: usize = 5;
/// After this many operations a brief key is retired.
const BRIEF_OPS: RangeInclusive<u32> = 2..=6;

/// The keys of a run.
#[derive(Debug)]
pub struct Rotation {
    keys: usize,
    ops_per_key: u32,
    active: Vec<Key>,
    spare: VecDeque<Arc<str>>,
    /// Preparing these failed; they are next.
    failed: VecDeque<Arc<str>>,
    preparing: usize,
    /// All keys that ever were in use, in the order in which their use began.
    used: Vec<Used>,
    named: u64,
}

/// A key in use.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: Arc<str>,
    last_value: i64,
    brief: bool,
    /// Its place in `used`.
    place: usize,
    left: u32,
}

impl Key {
    /// A value that this key never had: 1, 2, 3, …
    pub fn fresh_value(&mut self) -> i64 {
        self.last_value += 1;
        self.last_value
    }
}

#[derive(Debug)]
struct Used {
    name: Arc<str>,
    disturbed: bool,
}

impl Rotation {
    /// No key is in use yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            keys: usize::from(settings.keys.max(1)),
            ops_per_key: settings.ops_per_key.max(1),
            active: Vec::new(),
            spare: VecDeque::new(),
            failed: VecDeque::new(),
            preparing: 0,
            used: Vec::new(),
            named: 0,
        }
    }

    /// A key that is to be prepared now, if any is.
    pub fn next_to_prepare(&mut self) -> Option<Arc<str>> {
        let at_hand = self.active.len() + self.spare.len() + self.preparing;
        if at_hand >= 2 * self.keys {
            return None;
        }
        self.preparing += 1;
        Some(self.failed.pop_front().unwrap_or_else(|| {
            self.named += 1;
            format!("r{}", self.named).into()
        }))
    }

    /// The preparation of `key` has ended.
    pub fn prepared(&mut self, key: &Arc<str>, done: bool) {
        self.preparing -= 1;
        if done { &mut self.spare } else { &mut self.failed }.push_back(Arc::clone(key));
    }

    /// A key for one operation, all in use being equally likely; `None` before any is prepared.
    pub fn pick(&mut self, rng: &mut ChaCha8Rng) -> Option<&mut Key> {
        self.rotate(rng);
        if self.active.is_empty() {
            return None;
        }
        let chosen = rng.random_range(0..self.active.len());
        let key = &mut self.active[chosen];
        key.left = key.left.saturating_sub(1);
        Some(key)
    }

    /// Retires keys that are used up and fills free places. A used-up key stays while there is no
    /// spare: that the cluster is down must not end the load on it.
    fn rotate(&mut self, rng: &mut ChaCha8Rng) {
        let mut spares = self.spare.len();
        self.active.retain(|key| {
            let retire = key.left == 0 && spares > 0;
            spares -= usize::from(retire);
            !retire
        });
        while self.active.len() < self.keys {
            let Some(name) = self.spare.pop_front() else { return };
            let place = self.used.len();
            self.used.push(Used { name: Arc::clone(&name), disturbed: false });
            let brief = self.active.iter().filter(|key| key.brief).count() < self.keys / KEYS_PER_BRIEF_ONE;
            let left = if brief {
                rng.random_range(BRIEF_OPS).min(self.ops_per_key)
            } else {
                // Between half and one and a half of the mean, so that keys do not retire in step.
                rng.random_range(self.ops_per_key.div_ceil(2)..=self.ops_per_key + self.ops_per_key / 2)
            };
            self.active.push(Key { name, last_value: 0, brief, place, left });
        }
    }

    /// Marks the keys in use: something happened that makes them interesting.
    pub fn disturb_all(&mut self) {
        for key in &self.active {
            self.used[key.place].disturbed = true;
        }
    }

    /// Marks one key.
    pub fn disturb(&mut self, name: &str) {
        // From the back: the key is in use, or was until a moment ago.
        if let Some(used) = self.used.iter_mut().rev().find(|used| &*used.name == name) {
            used.disturbed = true;
        }
    }

    /// At most `max` keys: those in use, then the marked ones, then the others, the newest first.
    #[must_use]
    pub fn of_interest(&self, max: usize) -> Vec<Arc<str>> {
        let mut places: Vec<usize> = (0..self.used.len()).rev().collect();
        let in_use = |place: usize| self.active.iter().any(|key| key.place == place);
        // The sort is stable, so each group stays newest first.
        places.sort_by_cached_key(|&place| (!in_use(place), !self.used[place].disturbed));
        places.into_iter().take(max).map(|place| Arc::clone(&self.used[place].name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeMap;

    fn rotation(keys: u16, ops_per_key: u32) -> (Rotation, ChaCha8Rng) {
        (Rotation::new(&Settings { seed: 1, keys, ops_per_key }), ChaCha8Rng::seed_from_u64(1))
    }

    fn prepare_all(rotation: &mut Rotation) {
        while let Some(key) = rotation.next_to_prepare() {
            rotation.prepared(&key, true);
        }
    }

    #[test]
    fn keys_are_replaced_after_about_their_number_of_operations() {
        let (mut rotation, mut rng) = rotation(10, 100);
        let mut uses = BTreeMap::<Arc<str>, u32>::new();
        for _ in 0..20_000 {
            prepare_all(&mut rotation);
            *uses.entry(Arc::clone(&rotation.pick(&mut rng).unwrap().name)).or_default() += 1;
        }
        let retired = uses.iter().filter(|(name, _)| rotation.active.iter().all(|key| key.name != **name));
        let (brief, long): (Vec<u32>, Vec<u32>) = retired.map(|(_, uses)| *uses).partition(|uses| *uses < 50);
        // 16,000 operations on eight long keys at a time, 4,000 on two brief ones.
        assert!((140..=180).contains(&long.len()), "{} long keys", long.len());
        assert!(long.iter().all(|uses| (50..=150).contains(uses)), "{long:?}");
        assert!((900..=1_100).contains(&brief.len()), "{} brief keys", brief.len());
        assert!(brief.iter().all(|uses| BRIEF_OPS.contains(uses)), "{brief:?}");
    }

    #[test]
    fn without_spares_keys_stay_in_use() {
        let (mut rotation, mut rng) = rotation(2, 10);
        assert!(rotation.pick(&mut rng).is_none(), "nothing is prepared");
        let first = rotation.next_to_prepare().unwrap();
        rotation.prepared(&first, true);
        for _ in 0..1000 {
            assert_eq!(rotation.pick(&mut rng).unwrap().name, first);
        }
        prepare_all(&mut rotation);
        assert_ne!(rotation.pick(&mut rng).unwrap().name, first, "it is long over its limit");
    }

    #[test]
    fn a_failed_preparation_is_asked_for_again() {
        let (mut rotation, _rng) = rotation(1, 10);
        let key = rotation.next_to_prepare().unwrap();
        assert!(rotation.next_to_prepare().is_some_and(|other| other != key));
        assert_eq!(rotation.next_to_prepare(), None, "one key and one spare are under way");
        rotation.prepared(&key, false);
        assert_eq!(rotation.next_to_prepare(), Some(key));
    }

    #[test]
    fn keys_of_interest_come_in_order() {
        let (mut rotation, mut rng) = rotation(1, 1);
        for _ in 0..4 {
            prepare_all(&mut rotation);
            rotation.pick(&mut rng).unwrap();
        }
        rotation.disturb("r2");
        let names = |max| rotation.of_interest(max).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(9), ["r4", "r2", "r3", "r1"]);
        assert_eq!(names(2), ["r4", "r2"]);
    }
}
