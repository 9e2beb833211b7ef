//! What a system promises. Not every one promises linearizability: ZooKeeper's reads may be stale, and a
//! checker that calls them broken for it reports what is documented as a bug.

use crate::explain::render;
use crate::history::{History, Outcome, Val};
use crate::model::{RegAction, RegMachine};
use crate::objects::{Function, register};
use crate::order::{check_sessions, is_update, mode};
use crate::stamps::Finding;
use crate::stamps::osc::{self, OscDecision, OscInput, OscKind};
use crate::{CheckError, Class, CoreOp, Counterexample, LinOp, Model, Options, Position, Verdict};

/// A promise, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Every operation takes effect at one moment between its call and its return.
    Lin,
    /// Updates are linearizable, and so are reads behind a `sync` of their session. In a history without `sync`
    /// operations every read counts as behind one: that is how this tool's own clients read.
    SyncLin,
    /// Ordered sequential consistency, ZooKeeper's own promise: updates are linearizable; each session sees their order
    /// without going back, but maybe late.
    Osc,
    /// A session's view never goes back, and it sees its own updates.
    Session,
}

impl Promise {
    /// All promises, the strongest first.
    pub const ALL: [Self; 4] = [Self::Lin, Self::SyncLin, Self::Osc, Self::Session];

    /// Its name, such as `sync-lin`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lin => "lin",
            Self::SyncLin => "sync-lin",
            Self::Osc => "osc",
            Self::Session => "session",
        }
    }

    /// Its name in plain words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Lin => "linearizable",
            Self::SyncLin => "linearizable behind a sync",
            Self::Osc => "ordered sequential consistency",
            Self::Session => "session order",
        }
    }

    /// The promise of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|promise| promise.name() == name)
    }
}

/// What was found about a promise.
#[derive(Debug)]
pub struct PromiseReport {
    /// Was it kept?
    pub verdict: Verdict,
    /// Why not.
    pub counterexamples: Vec<Counterexample>,
    /// What the reader should know besides, such as how many reads were stale, but allowed.
    pub notes: Vec<String>,
}

/// Checks a history of registers (ZooKeeper's znodes) against a promise.
///
/// # Errors
/// When the history is of no register, or a value has the wrong shape.
pub fn check_promise(
    history: &History,
    promise: Promise,
    model: Option<Model>,
    options: &Options,
) -> Result<PromiseReport, CheckError> {
    let wrong = |what: String| CheckError::Format { name: "the history".into(), what };
    let model = model.map_or_else(|| Model::of(history).map_err(wrong), Ok)?;
    if promise == Promise::Lin {
        let checked = model.check(history, options)?;
        let counterexamples = checked.counterexamples().cloned().collect();
        return Ok(PromiseReport { verdict: checked.verdict, counterexamples, notes: Vec::new() });
    }
    if !matches!(model, Model::Register | Model::CasRegister) {
        return Err(wrong(format!(
            "the promise {} is about registers, and this is a {model}",
            promise.name()
        )));
    }
    if promise == Promise::Session {
        return Ok(PromiseReport {
            verdict: check_sessions(history),
            counterexamples: vec![],
            notes: vec![],
        });
    }
    let columns = Columns::of(history, promise)?;
    let report = osc::check(&mut RegMachine, &columns.input(history));
    let mut notes = Vec::new();
    if report.stale_but_allowed() > 0 {
        let lag = |first: u32, second: u32| {
            let (late, early) = (columns.call(history, first).time_invoke(), columns.call(history, second));
            late.saturating_sub(early.time_complete().unwrap_or(late))
        };
        notes.push(stale(history, &columns, &report, lag));
    }
    Ok(match report.decision {
        OscDecision::Valid(_) => PromiseReport { verdict: Verdict::Valid, counterexamples: vec![], notes },
        OscDecision::Open(why) => {
            PromiseReport { verdict: Verdict::Unknown(why.to_owned()), counterexamples: vec![], notes }
        }
        OscDecision::Violation(found) => {
            if found.kind.permitted_while_two_leaders() {
                notes.push(
                    "ZooKeeper's documentation permits this while two leaders exist: its sync asks no quorum"
                        .to_owned(),
                );
            }
            let counterexample = counterexample(history, &columns, &found);
            let verdict = Verdict::Invalid(format!("{}: {}", found.kind.name(), counterexample.why));
            PromiseReport { verdict, counterexamples: vec![counterexample], notes }
        }
    })
}

/// Such as "3 reads were stale, but allowed; the stalest, read -> 7 (#91), by 120.3 ms".
fn stale(
    history: &History,
    columns: &Columns,
    report: &osc::OscReport,
    lag: impl Fn(u32, u32) -> u64,
) -> String {
    let count = report.stale_but_allowed();
    let reads = if count == 1 { "1 read was".to_owned() } else { format!("{count} reads were") };
    let Some(stalest) = report.stalest(&lag).filter(|_| history.timed) else {
        return format!("{reads} stale, but allowed");
    };
    let call = columns.call(history, stalest.read);
    let by_ms = crate::counterexample::millis(lag(stalest.read, stalest.known_by));
    let (action, index) = (CoreOp::new(call).action(), call.index_invoke());
    format!("{reads} stale, but allowed; the stalest, {action} (#{index}), by {by_ms:.1} ms")
}

/// The operations of a history, without those that failed or said nothing, column by column.
struct Columns {
    /// The call of each.
    calls: Vec<u32>,
    ops: Vec<LinOp<RegAction>>,
    keys: Vec<u32>,
    sessions: Vec<i64>,
    stamps: Vec<Option<u64>>,
    update: Vec<bool>,
    since: Vec<Position>,
}

impl Columns {
    fn of(history: &History, promise: Promise) -> Result<Self, CheckError> {
        let (calls, ops) = register::problem_of(history)?;
        let each = || calls.iter().map(|&id| history.call(id));
        let sessions: Vec<i64> = each().map(crate::Call::process).collect();
        let syncs: Vec<(i64, Position)> = history
            .calls()
            .filter(|call| Function::named(call.f()) == Function::SYNC && call.outcome() == Outcome::Ok)
            .map(|call| (call.process(), call.call()))
            .collect();
        let since = match promise {
            Promise::SyncLin if syncs.is_empty() => ops.iter().map(|op| op.call).collect(),
            Promise::SyncLin => osc::since_syncs(&ops, &sessions, &syncs),
            Promise::Lin | Promise::Osc | Promise::Session => Vec::new(),
        };
        Ok(Self {
            keys: each().map(|call| history.columns.key[call.id() as usize]).collect(),
            stamps: each().map(crate::Call::zxid).collect(),
            update: each().map(|call| is_update(call) || stores(call)).collect(),
            sessions,
            since,
            calls,
            ops,
        })
    }

    fn input(&self, history: &History) -> OscInput<'_, RegAction> {
        OscInput {
            ops: &self.ops,
            keys: &self.keys,
            sessions: &self.sessions,
            stamps: &self.stamps,
            update: &self.update,
            since: &self.since,
            mode: mode(history),
        }
    }

    fn call<'h>(&self, history: &'h History, op: u32) -> crate::Call<'h> {
        history.call(self.calls[op as usize])
    }
}

/// It stores a value, if it takes effect at all.
fn stores(call: crate::Call<'_>) -> bool {
    call.outcome() == Outcome::Info && matches!(call.f(), "write" | "cas")
}

fn counterexample(history: &History, columns: &Columns, found: &Finding<OscKind>) -> Counterexample {
    let core: Vec<u32> = found.ops.iter().map(|&op| columns.calls[op as usize]).collect();
    let value = |id: u32| history.values.display(Val::from_id(id)).to_string();
    let why = render(history, &columns.calls, &found.sentence, value);
    let key = found.ops.first().map(|&op| columns.call(history, op).key().unwrap_or_default().to_owned());
    let key = key.unwrap_or_default();
    crate::explain::from_core(history, key, class(found.kind), why, core, true)
}

fn class(kind: OscKind) -> Class {
    match kind {
        OscKind::Phantom | OscKind::Future => Class::PhantomRead,
        OscKind::WentBack | OscKind::OwnWrite | OscKind::StaleAfterSync => Class::StaleRead,
        OscKind::UpdateOrder => Class::OrderInversion,
        OscKind::Duplicate => Class::StampLie,
        OscKind::Outcome => Class::Other,
    }
}
