//! What a format leaves out of a history.

use crate::formats::{Format, edn, jepsen, tsv};
use crate::history::{Call, History, Outcome, Shape, Stamps};

/// What a history would lose in a format, one short noun phrase each: empty if it comes back as it is. What must
/// not be lost is an error of [`crate::formats::write`] instead.
#[must_use]
pub fn loses(format: Format, history: &History) -> Vec<String> {
    let mut lost = Vec::new();
    let mut add = |is_lost: bool, what: &str| {
        if is_lost {
            lost.push(what.to_owned());
        }
    };
    let any = |test: fn(Call<'_>) -> bool| history.ids().any(|id| test(history.call(id)));
    let mismatch = any(|call| call.outcome() == Outcome::Mismatch);
    let reached = history.has_zxids() && history.stamps == Stamps::Reached;
    match format {
        Format::Columns | Format::Edn => {}
        Format::Jsonl => {
            add(mismatch, "that calls failed because of the state they found (they say nothing any more)");
            add(history.explicit_cas && cas_of_nil(history), "that a cas of null expects the initial value");
            add(history.has_zxids() && !reached, "stamps of the last modification");
            add(!history.timed, "that its times mean nothing");
        }
        Format::Elle => {
            let odd = history.odd.iter().any(|odd| odd.key.is_none());
            add(odd, "which lines of an operation did not name its key");
            add(has_single_txn(history), "that transactions of one operation were called transactions");
        }
        Format::JepsenLog => {
            add(any(|call| call.key().is_some()), "the name of its one object");
            add(history.timed, "times");
            add(history.has_zxids(), "zxids");
            add(any(|call| call.node().is_some()), "nodes");
            add(any(|call| call.error().is_some_and(|e| !jepsen::is_loggable(e))), "errors of several lines");
            let failed_cas = any(|c| c.outcome() == Outcome::Fail && c.f() == "cas" && c.error().is_none());
            add(failed_cas, "values of failed cas (which would be observations)");
        }
        Format::Tsv => {
            let failed =
                any(|call| call.outcome() == Outcome::Fail && matches!(call.f(), "cas" | "acq" | "rel"));
            add(failed, "failed cas, acq and rel that say nothing (they would be observations)");
            add(!tsv::own_times(history), "times (the places of its lines stand for them)");
            add(reached, "zxids (of what the server had reached)");
            add(any(|call| call.node().is_some()), "nodes");
            add(any(|call| call.error().is_some()), "errors");
            let learns = !history.explicit_cas && any(|call| call.f() == "cas");
            add(learns, "that a cas may have learnt on the way what it would replace");
        }
    }
    if matches!(format, Format::JepsenLog | Format::Tsv) {
        add(!history.others.is_empty(), "lines of the nemesis");
        add(history.indices.is_some(), "numbers of lines");
        add(any(|call| call.final_read()), "which reads were final");
        add(!history.odd.is_empty(), "what completions say otherwise than their invocations");
    }
    if format != Format::Columns {
        add(history.truncated, "that it was cut off");
    }
    lost
}

/// A cas that replaces null, or does not say what.
fn cas_of_nil(history: &History) -> bool {
    let Some(cas) = history.names.find("cas") else { return false };
    let of_cas = (0..).zip(&history.columns.f).filter(|&(_, &f)| f == cas);
    let mut olds = of_cas.filter_map(|(id, _)| history.values.as_pair(history.call(id).input()));
    olds.any(|(old, _)| old.is_nil())
}

/// A `txn` whose value is read as one operation.
fn has_single_txn(history: &History) -> bool {
    let values = &history.values;
    let single = |value| {
        let Shape::List(&[only]) = values.shape(value) else { return false };
        let Shape::List(&[function, _, _]) = values.shape(only) else { return false };
        let keyword = |&(keyword, _): &(&str, &str)| values.shape(function) == Shape::Text(keyword);
        edn::SINGLES.iter().any(keyword)
    };
    let c = &history.columns;
    history.ids().any(|id| {
        history.call(id).f() == "txn" && (single(c.input[id as usize]) || single(c.output[id as usize]))
    })
}
