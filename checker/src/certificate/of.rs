//! What a check found, as a certificate.

use std::collections::{BTreeMap, BTreeSet};

use super::{Certificate, KeyCertificate, Proof, complete};
use crate::history::History;
use crate::{Checked, Counterexample, Model};

impl Certificate {
    /// The certificate of a check: an order for every key that is valid, a core for every violation that was
    /// explained. Keys that stayed *unknown* are left out, and so are violations that were only counted.
    ///
    /// A core for which no proof in the verifier's terms was found is kept as it is; [`verify`](super::verify) will
    /// refuse it.
    #[must_use]
    pub fn of(history: &History, model: Model, checked: &Checked) -> Self {
        let mut keys: BTreeMap<&str, KeyCertificate> = BTreeMap::new();
        // Where elements of a key are checked one by one, each has an order of its own.
        let mut orders: BTreeMap<&str, Vec<&[u32]>> = BTreeMap::new();
        let key_of = |call: u32| history.call(call).key().unwrap_or_default();
        for key in &checked.keys {
            if let Some(&first) = key.witness.first() {
                orders.entry(key_of(first)).or_default().push(&key.witness);
            }
        }
        // Where everything failed, nothing has to be explained.
        for id in history.ids().filter(|&id| history.call(id).f() != "sync") {
            orders.entry(key_of(id)).or_default();
        }
        let broken: BTreeSet<&str> = unproven(history, checked);
        for (key, orders) in orders.into_iter().filter(|(key, _)| !broken.contains(key)) {
            let order = merged(history, &orders).into_iter().map(|id| history.call(id).index_invoke());
            keys.insert(key, KeyCertificate::valid(key, order.collect()));
        }
        let mut unproven = Vec::new();
        for found in checked.counterexamples() {
            let Some(&first) = found.core.first() else { continue };
            let key = key_of(first);
            let certificate =
                |core: &[u64]| KeyCertificate::invalid(key, found.class, core.to_vec(), &found.why);
            match core(history, model, key, found) {
                Ok(core) => drop(keys.entry(key).or_insert_with(|| certificate(&core))),
                Err(core) => unproven.push((key, certificate(&core))),
            }
        }
        let is_proven = |one: &KeyCertificate| matches!(one.proof, Proof::Invalid { .. });
        // One contradiction is enough. Where there is none, the best that is known.
        if !keys.values().any(is_proven) {
            keys.extend(unproven);
        }
        Self::new(model.name(), keys.into_values().collect())
    }
}

/// A core that the verifier accepts: what was found, with what else it needs; or else everything up to where the
/// contradiction is complete. An error is what was found.
fn core(history: &History, model: Model, key: &str, found: &Counterexample) -> Result<Vec<u64>, Vec<u64>> {
    let index = |id: u32| history.call(id).index_invoke();
    let small: Vec<u64> = found.core.iter().map(|&id| index(id)).collect();
    let prefix = || -> Vec<u64> {
        let of_key = history.calls().filter(|call| call.key().unwrap_or_default() == key);
        of_key.map(crate::Call::index_invoke).filter(|&index| index <= found.first_bad_index).collect()
    };
    let completed = |core: &[u64]| complete(history, model.name(), key, core);
    completed(&small).or_else(|_refused| completed(&prefix())).map_err(|_refused| small)
}

/// The keys that are not valid as a whole.
fn unproven<'h>(history: &'h History, checked: &Checked) -> BTreeSet<&'h str> {
    let mut proven = vec![false; history.len()];
    for key in &checked.keys {
        key.witness.iter().for_each(|&id| proven[id as usize] = true);
    }
    let in_doubt = |call: &crate::Call<'_>| call.ret() != crate::NEVER && !proven[call.id() as usize];
    let neutral = |call: &crate::Call<'_>| call.f() == "sync";
    history
        .calls()
        .filter(in_doubt)
        .filter(|call| !neutral(call))
        .map(|call| call.key().unwrap_or_default())
        .collect()
}

/// One order from those of several objects. Each operation takes effect as soon as it was called and its
/// predecessors have: that is before its return, so the whole respects real time as each part does (Herlihy and Wing's
/// locality).
fn merged(history: &History, orders: &[&[u32]]) -> Vec<u32> {
    if let [order] = orders {
        return order.to_vec();
    }
    let mut timed = Vec::new();
    for (object, order) in orders.iter().enumerate() {
        let mut now = 0;
        for (place, &id) in order.iter().enumerate() {
            now = now.max(history.call(id).call());
            timed.push((now, object, place, id));
        }
    }
    timed.sort_unstable();
    timed.into_iter().map(|(.., id)| id).collect()
}
