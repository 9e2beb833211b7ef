//! `zabchaos node`: runs one node. The only file of the tool that knows the node's crate; everything
//! else knows nodes as processes.

use crate::cli::NodeArgs;
use crate::exit::{Exit, UsageError};
use crate::plan::unknown_name;
use zab_node::{Bug, EXIT_USAGE, NodeOptions};

/// Names of the bugs that can be planted into a node.
pub(crate) fn bug_names() -> Vec<&'static str> {
    Bug::ALL.iter().map(|bug| bug.name()).collect()
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
        Err(error) if error.exit_code() == EXIT_USAGE => Err(UsageError(error.to_string()).into()),
        Err(error) => Err(error.into()),
    }
}
