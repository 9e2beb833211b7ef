//! Everything a run found, as one value: `results.json`, and what the tables show.

use super::exact::phase_summaries;
use super::latency::{OpStats, Throughput, election_hgrm, operations};
use crate::cluster::UnexpectedExit;
use crate::election::{ElectionsFile, FencingReport, Observation, PhaseHistogram, PhaseSummary};
use crate::nemesis::{FaultOutcome, FaultRecord};
use crate::output::Style;
use crate::plan::{Plan, shell_quoted};
use anyhow::Context as _;
use checker::history::Op;
use checker::{Counterexample, Verdict};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What one check concluded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct NamedVerdict {
    /// What was checked, such as `linearizable`.
    pub(crate) name: String,
    /// What it concluded.
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
}

impl NamedVerdict {
    /// A verdict under its name.
    pub(crate) fn new(name: &str, verdict: Verdict) -> Self {
        Self { name: name.to_owned(), verdict }
    }
}

/// How long the parts of a run took, ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Timings {
    /// From the run's beginning until every node served.
    pub(crate) serving_ns: u64,
    /// When the load began, ns of the run.
    pub(crate) load_from_ns: u64,
    /// When it ended.
    pub(crate) load_until_ns: u64,
    /// From the last operation's end to the verdict.
    pub(crate) check_ns: u64,
    /// The whole run.
    pub(crate) total_ns: u64,
}

/// What a run without processes has besides. Its times are virtual, those in `timings` but `check_ns` too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Simulated {
    /// How much virtual time passed.
    pub(crate) virtual_ns: u64,
    /// How long that took in fact.
    pub(crate) real_ns: u64,
    /// Events given to nodes.
    pub(crate) events: u64,
    /// Messages between nodes that arrived.
    pub(crate) messages: u64,
    /// Stands for everything that happened: the same for the same run.
    pub(crate) fingerprint: String,
}

/// Everything a run found. The JSON is `results.json`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Results {
    /// The worst of the verdicts.
    pub(crate) verdict: Verdict,
    /// Every verdict, in the order in which they were given.
    pub(crate) verdicts: Vec<NamedVerdict>,
    /// Why an invalid history cannot be explained, one per broken key.
    pub(crate) counterexamples: Vec<Counterexample>,
    /// What was asked.
    pub(crate) plan: Plan,
    /// The run's folder.
    pub(crate) folder: PathBuf,
    /// The command that asks for the same again.
    pub(crate) repeat: String,
    /// The command that runs the same faults again, at the same nodes and times.
    pub(crate) replay: String,
    /// What a run without processes has besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) simulated: Option<Simulated>,
    /// How long its parts took.
    pub(crate) timings: Timings,
    /// The load's operations, one entry per function, `all` last.
    pub(crate) operations: Vec<OpStats>,
    /// The reads after everything was healed; `None` when there were none.
    pub(crate) final_reads: Option<OpStats>,
    /// How much was acknowledged.
    pub(crate) throughput: Throughput,
    /// The faults, in order.
    pub(crate) faults: Vec<FaultRecord>,
    /// The elections.
    #[serde(flatten)]
    pub(crate) elections: Observation,
    /// How long their phases took.
    pub(crate) phases: Vec<PhaseSummary>,
    /// Whether anything of a superseded epoch was believed.
    pub(crate) fencing: FencingReport,
    /// Processes that ended by themselves.
    pub(crate) unexpected_exits: Vec<UnexpectedExit>,
    /// The `.hgrm` files: name and content.
    #[serde(skip)]
    hgrm: Vec<(String, String)>,
}

/// What [`build`] is given.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    /// What was asked.
    pub(crate) plan: &'a Plan,
    /// The run's folder.
    pub(crate) folder: &'a Path,
    /// How long the parts took.
    pub(crate) timings: Timings,
    /// The history.
    pub(crate) history: &'a [Op],
    /// The faults.
    pub(crate) faults: &'a [FaultRecord],
    /// The elections.
    pub(crate) elections: Observation,
    /// The fencing report. Its violations are to be among the verdicts ([`FencingReport::verdict`]).
    pub(crate) fencing: FencingReport,
    /// Every verdict; at least one.
    pub(crate) verdicts: Vec<NamedVerdict>,
    /// The counterexamples of the linearizability check.
    pub(crate) counterexamples: Vec<Counterexample>,
    /// Processes that ended by themselves.
    pub(crate) unexpected_exits: Vec<UnexpectedExit>,
    /// What a run without processes has besides.
    pub(crate) simulated: Option<Simulated>,
}

/// Puts the results together: counts, latencies, histograms, and the worst of the verdicts.
pub(crate) fn build(input: Input<'_>) -> Results {
    let Timings { load_from_ns, load_until_ns, .. } = input.timings;
    let operations = operations(input.history, (load_from_ns, load_until_ns), &active(input.faults));
    let histograms = PhaseHistogram::of_run(&input.elections);
    let phases = phase_summaries(&input.elections, &histograms);
    let mut hgrm = operations.hgrm;
    hgrm.extend(election_hgrm(&histograms));
    let unjudged = Verdict::Unknown("nothing was checked".to_owned());
    let verdict = input.verdicts.iter().map(|one| one.verdict.clone()).reduce(Verdict::merge);
    Results {
        verdict: verdict.unwrap_or(unjudged),
        verdicts: input.verdicts,
        counterexamples: input.counterexamples,
        plan: input.plan.clone(),
        folder: input.folder.to_owned(),
        repeat: input.plan.command(),
        replay: format!("zabchaos replay {}", shell_quoted(&input.folder.display().to_string())),
        simulated: input.simulated,
        timings: input.timings,
        operations: operations.stats,
        final_reads: operations.final_reads,
        throughput: operations.throughput,
        faults: input.faults.to_vec(),
        elections: input.elections,
        phases,
        fencing: input.fencing,
        unexpected_exits: input.unexpected_exits,
        hgrm,
    }
}

impl Results {
    /// The files that go beside `results.json`: their names and contents.
    ///
    /// # Errors
    /// When the elections cannot be rendered as JSON.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<(String, String)>> {
        let elections = ElectionsFile { observation: self.elections.clone(), phases: self.phases.clone() };
        let elections =
            serde_json::to_string_pretty(&elections).context("failed to render elections.json")? + "\n";
        let mut files = vec![
            ("report.txt".to_owned(), super::report(self, Style { color: false })),
            ("elections.json".to_owned(), elections),
        ];
        files.extend(self.hgrm.iter().cloned());
        Ok(files)
    }

    /// How many faults took effect.
    pub(crate) fn installed(&self) -> usize {
        self.faults.iter().filter(|fault| fault.outcome == FaultOutcome::Installed).count()
    }
}

/// When faults were active: installed ones, from their evidence until healed.
fn active(faults: &[FaultRecord]) -> Vec<(u64, u64)> {
    let installed = faults.iter().filter(|fault| fault.outcome == FaultOutcome::Installed);
    installed.filter_map(|fault| Some((fault.installed_ns?, fault.healed_ns.unwrap_or(u64::MAX)))).collect()
}

#[cfg(test)]
#[path = "results_tests.rs"]
pub(super) mod tests;
