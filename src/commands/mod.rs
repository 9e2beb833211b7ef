//! One file per subcommand: from arguments to an exit status.

mod check;
mod list;
mod node;
mod replay;
mod simulate;
mod test;

pub(crate) use check::check;
pub(crate) use list::list;
pub(crate) use node::{bug_names, bugs, node};
pub(crate) use replay::replay;
pub(crate) use simulate::simulate;
pub(crate) use test::test;
