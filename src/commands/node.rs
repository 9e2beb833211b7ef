//! `zabchaos node`: runs one node. The only file of the tool that knows the node's crate; everything
//! else knows nodes as processes.

use crate::cli::NodeArgs;
use crate::exit::{Exit, UsageError};
use crate::plan::unknown_name;
use zab_node::{Bug, EXIT_PORT, EXIT_USAGE, NodeOptions};

/// Names of the bugs that can be planted into a node.
pub(crate) fn bug_names() -> Vec<&'static str> {
    Bug::ALL.iter().map(|bug| bug.name()).collect()
}

/// Every bug that can be planted, with what it does, in a few words.
pub(crate) fn bugs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let what = |bug| match bug {
        Bug::CommitWithoutQuorum => "the leader commits what only its own disk has",
        Bug::SkipEpochCheck => "an older leader is obeyed and never gives way",
        Bug::ElectAny => "votes ignore how much a server knows",
        Bug::SkipTruncate => "an abandoned proposal stays on one disk",
        Bug::LocalSync => "sync is answered without asking a quorum",
        Bug::ForgetAcceptedEpoch => "a promised epoch does not reach the disk",
        Bug::DoubleApply => "some writes are proposed twice",
    };
    Bug::ALL.into_iter().map(move |bug| (bug.name(), what(bug)))
}

/// Runs a node until it is stopped.
///
/// # Errors
/// When its configuration cannot be used, or it cannot go on.
pub(crate) fn node(args: NodeArgs) -> anyhow::Result<Exit> {
    let NodeArgs { config, trace, bug, die_with_parent } = args;
    let known = |name: &str| Bug::from_name(name).ok_or_else(|| unknown_name("bug", name, &bug_names()));
    let bug = bug.as_deref().map(known).transpose()?;
    match zab_node::run(NodeOptions { config, trace, bug, die_with_parent }) {
        Ok(()) => Ok(Exit::Valid),
        // A port that is taken is a wrong choice, in the file as on the command line.
        Err(error) if [EXIT_USAGE, EXIT_PORT].contains(&error.exit_code()) => {
            Err(UsageError(error.to_string()).into())
        }
        Err(error) => Err(error.into()),
    }
}
