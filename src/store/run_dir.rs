//! One run's folder: which file is where, and reading it again.

use super::{Outcome, atomic};
use crate::cluster::{NodeId, trace_path};
use crate::exit::UsageError;
use crate::nemesis::PlannedFault;
use crate::plan::Plan;
use anyhow::Context as _;
use checker::Verdict;
use checker::history::Op;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// The plan, written before anything else happens.
const PLAN: &str = "plan.json";
/// The faults with their resolved targets.
const SCHEDULE: &str = "schedule.json";
/// The operations, streamed.
const HISTORY: &str = "history.jsonl";
/// The verdicts and everything in the report.
const RESULTS: &str = "results.json";
/// Why there are no results.
const FAILURE: &str = "failure.txt";
/// The link to the newest run, beside the runs.
const LATEST: &str = "latest";

/// A run's folder, which exists.
#[derive(Debug, Clone)]
pub(crate) struct RunDir {
    path: PathBuf,
}

impl RunDir {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// A stored run.
    ///
    /// # Errors
    /// A [`UsageError`] when there is no such folder or it holds no run.
    pub(crate) fn open(path: &Path) -> Result<Self, UsageError> {
        if !path.exists() {
            return Err(UsageError(format!(
                "no run at '{}': 'zabchaos list' shows the stored runs",
                path.display()
            )));
        }
        if !path.join(PLAN).is_file() {
            return Err(UsageError(format!(
                "'{}' is no run's folder: it holds no {PLAN} ('zabchaos list' shows the stored runs)",
                path.display()
            )));
        }
        // `latest` would point elsewhere once a replay begins.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Self { path })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's name.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Where the history is streamed to.
    pub(crate) fn history_path(&self) -> PathBuf {
        self.path.join(HISTORY)
    }

    /// Points `latest` at this run.
    pub(crate) fn make_latest(&self) -> anyhow::Result<()> {
        let latest = self.path.with_file_name(LATEST);
        atomic::link(&latest, Path::new(&self.name()))
            .with_context(|| format!("failed to point {} at the run", latest.display()))
    }

    /// Removes the folder of a run that never began.
    pub(crate) fn discard(&self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.path).with_context(|| format!("failed to remove {}", self.path.display()))
    }

    /// Whether there are results.
    pub(crate) fn has_results(&self) -> bool {
        self.path.join(RESULTS).exists()
    }

    /// Stores why there are no results.
    pub(crate) fn save_failure(&self, reason: &str) -> anyhow::Result<()> {
        self.save(FAILURE, format!("{reason}\n").as_bytes())
    }

    /// Stores the plan.
    pub(crate) fn save_plan(&self, plan: &Plan) -> anyhow::Result<()> {
        self.save_json(PLAN, plan)
    }

    /// Stores the faults as they were resolved.
    pub(crate) fn save_schedule(&self, schedule: &[PlannedFault]) -> anyhow::Result<()> {
        self.save_json(SCHEDULE, schedule)
    }

    /// Stores the history of a run that was recorded in memory: the lines that a real run streams.
    pub(crate) fn save_history(&self, ops: &[Op]) -> anyhow::Result<()> {
        let mut text = Vec::new();
        for op in ops {
            serde_json::to_writer(&mut text, op).context("failed to render the history")?;
            text.push(b'\n');
        }
        self.save(HISTORY, &text)
    }

    /// Stores what a node that was no process traced, where a process would have.
    pub(crate) fn save_trace(&self, node: NodeId, text: &[u8]) -> anyhow::Result<()> {
        let path = trace_path(&self.path, node);
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
        atomic::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    /// Stores the results.
    pub(crate) fn save_results(&self, results: &impl Serialize) -> anyhow::Result<()> {
        self.save_json(RESULTS, results)
    }

    /// Stores a file as indented JSON.
    pub(crate) fn save_json<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> anyhow::Result<()> {
        let mut text =
            serde_json::to_vec_pretty(value).with_context(|| format!("failed to render {name}"))?;
        text.push(b'\n');
        self.save(name, &text)
    }

    /// Stores a file.
    pub(crate) fn save(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.path.join(name);
        atomic::write(&path, content).with_context(|| format!("failed to write {}", path.display()))
    }

    /// The stored plan.
    ///
    /// # Errors
    /// A [`UsageError`] when the file makes no sense.
    pub(crate) fn load_plan(&self) -> Result<Plan, UsageError> {
        self.load(PLAN)
    }

    /// The stored faults.
    ///
    /// # Errors
    /// A [`UsageError`] when the file makes no sense.
    pub(crate) fn load_schedule(&self) -> Result<Vec<PlannedFault>, UsageError> {
        // It is stored with the first fault that is drawn.
        if self.path.join(SCHEDULE).exists() { self.load(SCHEDULE) } else { Ok(Vec::new()) }
    }

    /// What became of the run.
    pub(crate) fn outcome(&self) -> Outcome {
        #[derive(Deserialize)]
        struct Results {
            verdict: Verdict,
            verdicts: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
            #[serde(flatten)]
            verdict: Verdict,
        }
        if !self.has_results() {
            let reason = fs::read_to_string(self.path.join(FAILURE));
            return reason.map_or(Outcome::Unfinished, |reason| Outcome::Failed(reason.trim().to_owned()));
        }
        match self.load::<Results>(RESULTS) {
            Err(error) => Outcome::Corrupt(error.to_string()),
            Ok(Results { verdict, verdicts }) => Outcome::Judged {
                verdict,
                verdicts: verdicts.into_iter().map(|one| (one.name, one.verdict)).collect(),
            },
        }
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<T, UsageError> {
        let path = self.path.join(name);
        let wrong = |what: String| UsageError(format!("'{}' cannot be used: {what}", path.display()));
        let text = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))
    }
}
