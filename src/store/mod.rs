//! The results folder: one folder a run, and a link to the newest. Nothing else writes there, but the
//! streams that a run's own parts keep open in the paths they are given (history, node data).

mod atomic;
mod run_dir;
mod timestamp;

pub(crate) use atomic::write_whole;
pub(crate) use run_dir::RunDir;

use crate::exit::UsageError;
use crate::plan::Plan;
use anyhow::Context as _;
use checker::Verdict;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder that holds the runs.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    results: PathBuf,
}

/// A stored run, as far as its files tell.
#[derive(Debug, Clone)]
pub(crate) struct StoredRun {
    /// Its folder.
    pub(crate) dir: RunDir,
    /// What was asked; `None` when the file makes no sense any more.
    pub(crate) plan: Option<Plan>,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has results: the worst verdict, and every verdict by name.
    Judged {
        /// The worst.
        verdict: Verdict,
        /// All of them.
        verdicts: Vec<(String, Verdict)>,
    },
    /// The tool could not do its work, or was ended at once; for this reason.
    Failed(String),
    /// Neither results nor a reason: the tool was killed, or the run still goes on.
    Unfinished,
    /// The results make no sense; why.
    Corrupt(String),
}

impl Store {
    /// The store in this folder, which need not exist.
    pub(crate) fn new(results: &Path) -> Self {
        Self { results: results.to_owned() }
    }

    /// Makes a new run's folder and stores the plan in it. `latest` follows when the run has begun.
    ///
    /// The name is the UTC time and what is tested; runs that begin in the same second get a number.
    pub(crate) fn create_run(&self, plan: &Plan) -> anyhow::Result<RunDir> {
        let context = || format!("failed to create the results folder {}", self.results.display());
        fs::create_dir_all(&self.results).with_context(context)?;
        // Absolute from here on: the nodes get their paths from it, whatever folder they start in.
        let results = self.results.canonicalize().with_context(context)?;
        let dir = RunDir::at(make_new(&results, &run_name(&timestamp::now(), plan))?);
        dir.save_plan(plan)?;
        Ok(dir)
    }

    /// Stores a script beside the runs, in the place of one of the same name, and says where.
    ///
    /// # Errors
    /// When the folder or the file cannot be written.
    pub(crate) fn save_script(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let context = || format!("failed to store a script in {}", self.results.display());
        fs::create_dir_all(&self.results).with_context(context)?;
        let path = self.results.join(name);
        atomic::write(&path, text.as_bytes()).with_context(context)?;
        Ok(path)
    }

    /// The stored runs, oldest first.
    ///
    /// # Errors
    /// A [`UsageError`] when there is no such folder.
    pub(crate) fn list(&self) -> Result<Vec<StoredRun>, UsageError> {
        let place = self.results.display();
        let entries = fs::read_dir(&self.results).map_err(|error| {
            UsageError(if error.kind() == ErrorKind::NotFound {
                format!("no results at '{place}': run 'zabchaos test' first")
            } else {
                format!("'{place}' cannot be listed: {error}")
            })
        })?;
        let mut runs: Vec<StoredRun> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| RunDir::open(&entry.path()).ok())
            .map(StoredRun::read)
            .collect();
        runs.sort_by_key(|run| run.dir.name());
        Ok(runs)
    }
}

impl StoredRun {
    fn read(dir: RunDir) -> Self {
        let (plan, outcome) = (dir.load_plan(), dir.outcome());
        let outcome = match &plan {
            Ok(_) => outcome,
            Err(error) => Outcome::Corrupt(error.to_string()),
        };
        Self { plan: plan.ok(), outcome, dir }
    }
}

fn run_name(timestamp: &str, plan: &Plan) -> String {
    let nemesis = plan.nemesis_name().replace(',', "+");
    let bug = plan.bug.as_ref().map(|bug| format!("-{bug}")).unwrap_or_default();
    let simulated = if plan.simulated { "simulated-" } else { "" };
    format!("{timestamp}-{simulated}{}-{nemesis}{bug}", plan.workload)
}

/// Makes a folder that did not exist: making it is the test, so that two tools never share one.
fn make_new(results: &Path, name: &str) -> anyhow::Result<PathBuf> {
    for number in 1..=10_000_u32 {
        let name = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
        let path = results.join(name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("failed to create the run's folder {}", path.display()));
            }
        }
    }
    anyhow::bail!("failed to find a free name for a run in {}", results.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    #[test]
    fn runs_of_the_same_second_do_not_collide() {
        let dir = tempfile::tempdir().unwrap();
        let first = make_new(dir.path(), "x").unwrap();
        let second = make_new(dir.path(), "x").unwrap();
        assert_eq!((first, second), (dir.path().join("x"), dir.path().join("x-2")));
    }

    #[test]
    fn a_run_is_stored_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(&dir.path().join("deep/results"));
        let plan = plan();
        let run = store.create_run(&plan).unwrap();
        run.save_schedule(&[]).unwrap();
        run.make_latest().unwrap();
        let latest = RunDir::open(&dir.path().join("deep/results/latest")).unwrap();
        assert_eq!(latest.name(), run.name());
        assert_eq!(latest.load_plan().unwrap(), plan);
        assert_eq!(latest.load_schedule().unwrap(), []);
        assert_eq!(store.list().unwrap()[0].outcome, Outcome::Unfinished);
        run.save_failure("no disk").unwrap();
        assert_eq!(store.list().unwrap()[0].outcome, Outcome::Failed("no disk".into()));
        run.save_results(&serde_json::json!({"verdict": {"verdict": "unknown"}})).unwrap();
        assert!(matches!(run.outcome(), Outcome::Corrupt(_)), "{:?}", run.outcome());
        let idle = serde_json::json!({"verdict": "unknown", "reason": "idle"});
        run.save_results(&serde_json::json!({"verdict": idle, "verdicts": []})).unwrap();
        let listed = store.list().unwrap();
        assert_eq!(listed.len(), 1, "the link is no run");
        let verdict = Verdict::Unknown("idle".into());
        assert_eq!(listed[0].outcome, Outcome::Judged { verdict, verdicts: Vec::new() });
        run.discard().unwrap();
        assert_eq!(store.list().unwrap().len(), 0);
    }

    #[test]
    fn the_name_says_what_was_tested() {
        let plan = Plan { bug: Some("elect-any".into()), ..plan() };
        assert_eq!(run_name("20260101T000000Z", &plan), "20260101T000000Z-register-partition+kill-elect-any");
    }

    #[test]
    fn what_is_no_run_is_refused_in_one_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let missing = RunDir::open(&dir.path().join("gone")).unwrap_err().to_string();
        assert!(
            missing.starts_with("no run at '") && missing.ends_with("'zabchaos list' shows the stored runs")
        );
        let empty = RunDir::open(dir.path()).unwrap_err().to_string();
        assert!(empty.contains("is no run's folder: it holds no plan.json"), "{empty}");
    }
}
