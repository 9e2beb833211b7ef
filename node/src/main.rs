//! `zab-node`: one server by hand, without any planted bug.

use clap::Parser;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use zab_node::NodeOptions;

/// Runs one ZooKeeper server until SIGTERM or SIGINT.
///
/// Exit status: 0 stopped as asked, 1 cannot go on, 2 unusable configuration or arguments, 3 unusable
/// data directory, 10 disk error while serving, 14 port cannot be listened on.
#[derive(Debug, Parser)]
#[command(name = "zab-node", version)]
struct Arguments {
    /// The server's zoo.cfg; which server it is says the file myid in its dataDir.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Append every transition of the protocol to this file, as one JSON object a line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { config, trace } = Arguments::parse();
    match zab_node::run(NodeOptions { config, trace, bug: None, die_with_parent: None }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With nobody to read it, the status still tells.
            let _heard = writeln!(io::stderr(), "zab-node: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
