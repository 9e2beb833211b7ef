//! What drawn worlds came to: counts over all of them, and what was broken. The same whatever the threads were:
//! how fast it went is not told here.

use crate::exit::Exit;
use crate::output::Style;
use crate::plan::SwarmRequest;
use crate::report::format::{count, duration, wrap};
use checker::history::{Op, OpType};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use zab_sim::coverage::{Coverage, impossible};
use zab_sim::run::{Outcome, Parameters, Reached};

/// So many seeds are named at most where several broke the same promise.
const SEEDS_SHOWN: usize = 10;
/// How wide lines are.
const WIDTH: usize = 100;

/// What one world came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorldEnd {
    /// Its seed.
    pub(super) seed: u64,
    /// us
    pub(super) virtual_us: u64,
    pub(super) events: u64,
    pub(super) messages: u64,
    pub(super) faults: u64,
    pub(super) writes: u64,
    pub(super) recovery_us: u64,
    /// Transitions of the protocol.
    pub(super) reached: Reached,
    pub(super) end: End,
}

/// Whether a world kept its promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Kept,
    /// Nothing was proven, for this reason.
    Unknown(String),
    /// Which promise, when (us, if known), and how.
    Broken(String, Option<u64>, String),
}

impl WorldEnd {
    /// The end of a world that was played to its end, or whose servers panicked.
    pub(super) fn new(seed: u64, played: Result<Outcome, String>) -> Self {
        let outcome = match played {
            Ok(outcome) => outcome,
            Err(said) => {
                let end = End::Broken("Panic".to_owned(), None, said);
                return Self {
                    seed,
                    virtual_us: 0,
                    events: 0,
                    messages: 0,
                    faults: 0,
                    writes: 0,
                    recovery_us: 0,
                    reached: Reached::new(),
                    end,
                };
            }
        };
        let end = match (outcome.broken, outcome.unknown) {
            (Some((at_us, violation)), _) => {
                End::Broken(violation.property.to_owned(), Some(at_us), violation.what)
            }
            (None, Some(why)) => End::Unknown(why),
            (None, None) => End::Kept,
        };
        let is_write = |op: &&Op| op.op_type == OpType::Ok && op.f != "read";
        Self {
            seed,
            virtual_us: outcome.virtual_us,
            events: outcome.counters.steps,
            messages: outcome.counters.messages,
            faults: outcome.faults,
            writes: outcome.tally.writes + outcome.history.iter().filter(is_write).count() as u64,
            recovery_us: outcome.recovery_us,
            reached: outcome.reached,
            end,
        }
    }
}

/// What all of them came to. The JSON is what `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Tally {
    verdict: &'static str,
    from: u64,
    seeds: u64,
    /// Worlds that were played.
    ran: u64,
    bug: Option<String>,
    virtual_us: u64,
    events: u64,
    messages: u64,
    faults: u64,
    acknowledged_writes: u64,
    worst_recovery: Option<Recovery>,
    broken: Vec<Broken>,
    unknown: Vec<Unproven>,
    interrupted: bool,
    /// Which transitions of the protocol were reached, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    transitions: Option<Vec<Transition>>,
    #[serde(skip)]
    coverage: Coverage,
}

/// A transition of the protocol, and in how many worlds it was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Transition {
    name: &'static str,
    branch: &'static str,
    times: u64,
    worlds: u64,
    /// Why no world of honest servers reaches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    impossible: Option<&'static str>,
}

/// The longest time that a bare majority took to serve after the faults had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Recovery {
    us: u64,
    seed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Unproven {
    seed: u64,
    reason: String,
}

/// A world that broke a promise.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Broken {
    seed: u64,
    property: String,
    what: String,
    at_us: Option<u64>,
    parameters: BTreeMap<&'static str, String>,
    /// The command that shows it.
    repeat: String,
}

impl Tally {
    /// Nothing was played yet.
    pub(super) fn new(request: &SwarmRequest) -> Self {
        Self {
            verdict: "unknown",
            from: request.from,
            seeds: request.count,
            ran: 0,
            bug: request.bug.clone(),
            virtual_us: 0,
            events: 0,
            messages: 0,
            faults: 0,
            acknowledged_writes: 0,
            worst_recovery: None,
            broken: Vec::new(),
            unknown: Vec::new(),
            interrupted: false,
            transitions: request.coverage.then(Vec::new),
            coverage: Coverage::default(),
        }
    }

    /// Adds a world; to be called in the order of seeds.
    pub(super) fn add(&mut self, world: &WorldEnd, parameters: &Parameters) {
        self.ran += 1;
        self.virtual_us += world.virtual_us;
        self.events += world.events;
        self.messages += world.messages;
        self.faults += world.faults;
        self.acknowledged_writes += world.writes;
        self.coverage.add(&world.reached);
        if world.recovery_us > self.worst_recovery.map_or(0, |worst| worst.us) {
            self.worst_recovery = Some(Recovery { us: world.recovery_us, seed: world.seed });
        }
        match &world.end {
            End::Kept => {}
            End::Unknown(why) => {
                self.unknown.push(Unproven { seed: world.seed, reason: why.clone() });
            }
            End::Broken(property, at_us, what) => self.broken.push(Broken {
                seed: world.seed,
                property: property.clone(),
                what: what.clone(),
                at_us: *at_us,
                parameters: parameters.words().into_iter().collect(),
                repeat: repeat(world.seed, self.bug.as_deref()),
            }),
        }
    }

    /// No more worlds.
    pub(super) fn end(&mut self, interrupted: bool) -> Exit {
        self.interrupted = interrupted;
        let exit = if !self.broken.is_empty() {
            Exit::Invalid
        } else if interrupted || !self.unknown.is_empty() {
            Exit::Unknown
        } else {
            Exit::Valid
        };
        self.verdict = exit.word();
        if let Some(transitions) = &mut self.transitions {
            let impossible = impossible();
            let why = |name, branch| {
                impossible.iter().find(|one| (one.name, one.branch) == (name, branch)).map(|one| one.why)
            };
            *transitions = self
                .coverage
                .rows()
                .map(|(name, branch, times, worlds)| {
                    let impossible = why(name, branch).filter(|_| times == 0);
                    Transition { name, branch, times, worlds, impossible }
                })
                .collect();
        }
        exit
    }

    /// How many were played.
    pub(super) fn ran(&self) -> u64 {
        self.ran
    }

    /// Events and virtual time, us, so far.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.events, self.virtual_us)
    }

    /// The summary.
    pub(super) fn render(&self, style: Style) -> String {
        let mut text = String::new();
        let mut line = |name: &str, what: &str| {
            let lines = wrap(what, WIDTH - 21).join("\n                     ");
            writeln!(text, "{name:<19}  {lines}").expect(TO_STRING);
        };
        line("seeds", &format!("{} of {}", count(self.ran), count(self.seeds)));
        line("virtual time", &duration(self.virtual_us * 1_000));
        line("events", &format!("{}, {} messages among them", count(self.events), count(self.messages)));
        line("faults", &count(self.faults));
        line("acknowledged writes", &count(self.acknowledged_writes));
        if let Some(worst) = self.worst_recovery {
            line("worst recovery", &format!("{} (seed {})", duration(worst.us * 1_000), worst.seed));
        }
        if let Some(first) = self.unknown.first() {
            let more = if self.unknown.len() > 1 { " and others" } else { "" };
            let seeds = self.unknown.len();
            line("unproven", &format!("{seeds}: {} (seed {}{more})", first.reason, first.seed));
        }
        line("broken", &self.broken_by_property());
        text += &self.render_transitions();
        let verdict = style.verdict(self.verdict).replace(self.verdict, &self.verdict.to_uppercase());
        let why = if self.interrupted { "  (interrupted)" } else { "" };
        writeln!(text, "\n{verdict}{why}").expect(TO_STRING);
        text
    }

    /// Every transition with its branch: in how many worlds, or why in none.
    fn render_transitions(&self) -> String {
        let Some(transitions) = &self.transitions else { return String::new() };
        let missing = transitions.iter().filter(|one| one.times == 0 && one.impossible.is_none()).count();
        let mut text = format!("\ntransitions: {missing} of {} possible ones were not reached\n", {
            transitions.iter().filter(|one| one.impossible.is_none()).count()
        });
        for one in transitions {
            let reached = match one.impossible {
                _ if one.times > 0 => format!("{} times in {} worlds", count(one.times), count(one.worlds)),
                Some(why) => format!("impossible: {why}"),
                None => "NOT REACHED".to_owned(),
            };
            let what = format!("{} {}", one.name, one.branch);
            writeln!(text, "  {what:<78}  {reached}").expect(TO_STRING);
        }
        text
    }

    fn broken_by_property(&self) -> String {
        let mut seeds: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for broken in &self.broken {
            seeds.entry(&broken.property).or_default().push(broken.seed);
        }
        let named = seeds.into_iter().map(|(property, seeds)| {
            let shown: Vec<String> = seeds.iter().take(SEEDS_SHOWN).map(u64::to_string).collect();
            let more = if seeds.len() > SEEDS_SHOWN { ", …" } else { "" };
            let word = if seeds.len() == 1 { "seed" } else { "seeds" };
            format!("{property} ({word} {}{more})", shown.join(", "))
        });
        let named: Vec<String> = named.collect();
        if named.is_empty() { "nothing".to_owned() } else { named.join("; ") }
    }
}

/// The command that plays the world of a seed again.
fn repeat(seed: u64, bug: Option<&str>) -> String {
    let bug = bug.map(|bug| format!(" --bug {bug}")).unwrap_or_default();
    format!("zabchaos simulate --seed {seed}{bug}")
}

/// All that was drawn, a line each.
pub(super) fn drawn(parameters: &Parameters) -> String {
    parameters.words().into_iter().fold(String::new(), |mut text, (name, value)| {
        let lines = wrap(&value.replace(',', ", "), WIDTH - 21).join("\n                     ");
        writeln!(text, "  {name:<17}  {lines}").expect(TO_STRING);
        text
    })
}

/// What broke in a world; `named` when its parameters were shown before.
pub(super) fn broken(world: &WorldEnd, parameters: &Parameters, bug: Option<&str>, named: bool) -> String {
    let End::Broken(property, at_us, what) = &world.end else { return String::new() };
    let at = at_us.map(|us| format!(" at {}", duration(us * 1_000))).unwrap_or_default();
    let what = wrap(&format!("{property}: {what}"), WIDTH - 2).join("\n  ");
    let mut text = format!("seed {} is broken{at}\n  {what}\n", world.seed);
    if !named {
        text.push_str(&drawn(parameters));
        writeln!(text, "again: {}", repeat(world.seed, bug)).expect(TO_STRING);
    }
    text
}

const TO_STRING: &str = "writing to a String cannot fail";

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bug: Option<&str>) -> SwarmRequest {
        SwarmRequest {
            from: 3,
            count: 4,
            named: false,
            bug: bug.map(str::to_owned),
            threads: None,
            keep_going: true,
            trace: false,
            shrink: true,
            coverage: false,
            script: None,
            json: false,
        }
    }

    fn tally_of(request: &SwarmRequest, ends: &[End], interrupted: bool) -> (Exit, String) {
        let mut tally = Tally::new(request);
        for (seed, end) in (request.from..).zip(ends) {
            let world = WorldEnd { end: end.clone(), ..WorldEnd::new(seed, Err(String::new())) };
            tally.add(
                &WorldEnd { recovery_us: 1_000 * seed, virtual_us: 2_000_000, ..world },
                &Parameters::draw(seed),
            );
        }
        (tally.end(interrupted), tally.render(Style { color: false }))
    }

    #[test]
    fn a_panic_breaks_a_world_with_its_words() {
        let world = WorldEnd::new(9, Err("the log has a gap (log.rs:7)".to_owned()));
        let told = broken(&world, &Parameters::draw(9), Some("elect-any"), false);
        assert!(told.starts_with("seed 9 is broken\n  Panic: the log has a gap (log.rs:7)\n"), "{told}");
        assert!(told.ends_with("again: zabchaos simulate --seed 9 --bug elect-any\n"), "{told}");
    }

    #[test]
    fn the_worst_world_is_the_verdict() {
        let kept = [End::Kept, End::Kept, End::Kept, End::Kept];
        let (exit, text) = tally_of(&request(None), &kept, false);
        assert_eq!(exit, Exit::Valid);
        assert!(text.contains("worst recovery       6.0 ms (seed 6)\n"), "{text}");
        assert!(
            text.contains("virtual time         8.00 s\n") && text.contains("broken               nothing\n")
        );
        let (exit, text) = tally_of(&request(None), &kept[..2], true);
        assert_eq!(exit, Exit::Unknown);
        assert!(text.contains("2 of 4") && text.ends_with("UNKNOWN  (interrupted)\n"), "{text}");
        let unknown = End::Unknown("a bound was reached".to_owned());
        let (exit, text) = tally_of(&request(None), &[End::Kept, unknown.clone()], false);
        assert_eq!(exit, Exit::Unknown);
        assert!(text.contains("unproven             1: a bound was reached (seed 4)\n"), "{text}");
        let broken = |name: &str| End::Broken(name.to_owned(), Some(5), "it did not".to_owned());
        let ends = [broken("Recovers"), unknown, broken("Answers"), broken("Recovers")];
        let (exit, text) = tally_of(&request(None), &ends, false);
        assert_eq!(exit, Exit::Invalid);
        assert!(text.contains("Answers (seed 5); Recovers (seeds 3, 6)\n"), "{text}");
    }
}
