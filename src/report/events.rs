//! What a run tells while it goes on: the one stream that every kind of output reads.

use crate::election::LeaderView;
use crate::interpreter::Spotted;
use crate::plan::Plan;
use crate::report::Results;
use std::path::PathBuf;

/// Something a run has to say, in order of time.
#[derive(Debug)]
pub(crate) enum RunEvent {
    /// First of all: what is run and where its records go.
    Started {
        /// What was asked.
        plan: Box<Plan>,
        /// The run's folder.
        folder: PathBuf,
    },
    /// The run went on to this.
    Stage(Stage),
    /// How it goes. To be sent several times a second during load and final reads.
    Status(Status),
    /// The first violation that shows while the run goes on.
    Spotted(Spotted),
    /// Something that a user should know and that does not end the run; one sentence that names the remedy.
    Warning(String),
    /// Last of all.
    Finished(Box<Results>),
}

/// The parts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The node processes were spawned.
    Starting,
    /// Every node was proven serving.
    Serving {
        /// Since the run began, ns.
        after_ns: u64,
    },
    /// Clients and nemesis work.
    Load,
    /// Everything is being healed.
    Healing,
    /// The final reads are made.
    FinalReads,
    /// The history is being checked.
    Checking,
}

impl Stage {
    /// The part in a few words.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Starting => "starting the nodes".to_owned(),
            Self::Serving { after_ns } => {
                format!("every node serves after {}", super::format::duration(after_ns))
            }
            Self::Load => "load and faults begin".to_owned(),
            Self::Healing => "healing".to_owned(),
            Self::FinalReads => "final reads".to_owned(),
            Self::Checking => "checking the history".to_owned(),
        }
    }
}

/// How a run goes at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The moment, ns of the run.
    pub(crate) at_ns: u64,
    /// Operations completed ok so far.
    pub(crate) ok: u64,
    /// Completed as fail.
    pub(crate) fail: u64,
    /// Completed as info.
    pub(crate) info: u64,
    /// The fault in force, in a few words.
    pub(crate) fault: Option<String>,
    /// Who leads.
    pub(crate) leader: LeaderView,
}
