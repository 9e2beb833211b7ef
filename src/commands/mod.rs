//! One file per subcommand: from arguments to an exit status.

mod check;
mod convert;
mod list;
mod node;
mod replay;
mod simulate;
mod test;
mod verify;

pub(crate) use check::check;
pub(crate) use convert::convert;
pub(crate) use list::list;
pub(crate) use node::{bug_names, bugs, node};
pub(crate) use replay::replay;
pub(crate) use simulate::simulate;
pub(crate) use test::test;
pub(crate) use verify::verify_certificate;
