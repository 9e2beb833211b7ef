//! Two chains that must precede each other: which of their operations to name, and how to say it.

use std::collections::HashSet;

use crate::Position;
use crate::blocks::Zone;
use crate::monitors::register::conflict::sentence::{Sentence, called, op, returned, text, value};
use crate::monitors::register::conflict::{Case, Event, Explained, Member};

/// The part of a chain that contradicts another: something in the block `early` returned before, and something
/// in the block `late` was called after, something of the other. Usually they are one block.
#[derive(Debug, Clone)]
struct Part {
    members: Vec<Member>,
    early: usize,
    late: usize,
}

impl Part {
    /// The blocks of a chain that contradict a zone and lie as close together as possible; of several the first.
    fn against(members: Vec<Member>, other: Zone) -> Self {
        let mut nearest: Option<(usize, usize)> = None;
        let (mut early, mut late) = (None, None);
        for (at, member) in members.iter().enumerate() {
            if member.zone().must_precede(other) {
                early = Some(at);
            }
            if other.must_precede(member.zone()) {
                late = Some(at);
            }
            if let (Some(early), Some(late)) = (early, late)
                && nearest.is_none_or(|(a, b)| early.abs_diff(late) < a.abs_diff(b))
            {
                nearest = Some((early, late));
            }
        }
        let (early, late) = nearest.expect("each of the chains must precede the other");
        Self { members, early, late }
    }

    fn zone(&self) -> Zone {
        Zone { first_return: self.first().at, last_call: self.last().at }
    }

    fn first(&self) -> Event {
        self.members[self.early].first_return
    }

    fn last(&self) -> Event {
        self.members[self.late].last_call
    }

    /// The blocks from the one to the other: what ties them together.
    fn tie(&self) -> &[Member] {
        &self.members[self.early.min(self.late)..=self.early.max(self.late)]
    }
}

/// The argument: `old` returned before `overwriter` was called, and `seen` returned before `late` was called; the
/// first and the last belong to one chain, those between them to the other.
struct Argument<'a> {
    old: &'a Part,
    new: Part,
    first: Event,
    overwriter: Option<u32>,
    seen: u32,
    late: u32,
}

/// Explains that two chains must precede each other.
pub(super) fn between(case: &Case<'_>, a: u32, b: u32) -> Explained {
    let [a, b] = [a, b].map(|root| case.members(root));
    let whole = b.iter().fold(Zone::EMPTY, |zone, member| zone.join(member.zone()));
    let a = Part::against(a, whole);
    let b = Part::against(b, a.zone());
    let a = Part::against(a.members, b.zone());
    let sides = [(&a, &b), (&b, &a)];
    // Best is a read that came too late, then a compare-and-set; of equals the later one.
    let told = |&(old, new): &(&Part, &Part)| -> Option<(bool, bool, Position)> {
        let late = old.last().op?;
        new.first().op?;
        let replaced = case.values.replaces(old.members[old.late].block).is_some();
        Some((case.read(late).is_some(), replaced, old.last().at))
    };
    let (old, new) = sides.into_iter().max_by_key(told).expect("there are two");
    let new = overwriting(case, old).unwrap_or_else(|| new.clone());
    Argument::new(case, old, new).tell(case)
}

/// The most telling of what `old` contradicts: an update called after something of `old` had returned, which itself
/// returned before the late operation was called. Best one that somebody saw; of equals the last.
fn overwriting(case: &Case<'_>, old: &Part) -> Option<Part> {
    let own: HashSet<u32> = old.members.iter().map(|member| member.block).collect();
    let (first, late) = (old.first().at, old.last().at);
    let blocks = (0..).zip(&case.values.blocks);
    let updates = blocks.filter(|(at, block)| block.live && block.source_op().is_some() && !own.contains(at));
    let between = updates.filter(|(_, block)| first < block.call && block.ret < late);
    let (block, source) = between.max_by_key(|(_, block)| (block.found, block.call))?;
    let event = |at| Event { at, op: source.source_op() };
    let member = Member { block, first_return: event(source.ret), last_call: event(source.call) };
    Some(Part { members: vec![member], early: 0, late: 0 })
}

impl<'a> Argument<'a> {
    fn new(case: &Case<'_>, old: &'a Part, mut new: Part) -> Self {
        let late = old.last();
        let seen = case.sooner(&new.members[new.early], late.at).unwrap_or(new.first());
        let mut first = old.first();
        let mut overwriter = None;
        if first.op.is_none() {
            // The initial value came before all others: nobody need have been called later.
            new.late = new.early;
        } else {
            let source = case.values.blocks[new.members[new.late].block as usize];
            let event = Event { at: source.call, op: source.source_op() };
            let event = if source.call > first.at { event } else { new.last() };
            overwriter = event.op;
            first = case.sooner(&old.members[old.early], event.at).unwrap_or(first);
        }
        Self {
            old,
            new,
            first,
            overwriter,
            seen: seen.op.expect("of two chains the initial value is the older"),
            late: late.op.expect("only an operation is called"),
        }
    }

    fn tell(self, case: &Case<'_>) -> Explained {
        let Self { old, new, first, overwriter, seen, late } = self;
        let mut ops: Vec<u32> = case.sources(old.tie()).chain(case.sources(new.tie())).collect();
        ops.extend(first.op.into_iter().chain(overwriter).chain([seen, late]));
        let mut sentence = Sentence(Vec::new());
        match (first.op, overwriter) {
            (Some(first), Some(overwriter)) => {
                sentence.extend([returned(first), text(" before "), called(overwriter)]);
            }
            (None, _) | (_, None) => {
                let initial = value(case.value_of(old.members[old.early].block));
                sentence.extend([initial, text(" was there before everything else")]);
            }
        }
        sentence.extend([text(", and "), returned(seen)]);
        let source = case.source(new.members[new.early].block).filter(|&source| source != seen);
        if let Some(source) = source.filter(|&source| Some(source) != overwriter) {
            sentence.extend([text(", which found what "), op(source), text(" wrote,")]);
        }
        sentence.extend([text(" before "), called(late)]);
        let block = old.members[old.late].block;
        match (case.read(late), case.values.replaces(block)) {
            (Some(_), _) => sentence.extend([text("; yet that read returned "), value(case.value_of(block))]),
            (None, Some(old)) => sentence.extend([text("; yet that replaced "), value(old)]),
            (None, None) => sentence.extend([text("; so each would have to come before the other")]),
        }
        for part in [old, &new] {
            if let [_, replacing @ ..] = part.tie()
                && !replacing.is_empty()
            {
                sentence.extend([text(" (")]);
                sentence.replacements(case.replacements(replacing));
                sentence.extend([text(")")]);
            }
        }
        (case.lateness(seen, new.members[new.early].block), ops, sentence)
    }
}
