//! `zabchaos`: a Jepsen-style chaos tester. This file: parse → run → exit status.

mod cli;
mod clock;
mod cluster;
mod commands;
mod election;
mod exit;
mod interpreter;
mod nemesis;
mod network;
mod output;
mod panics;
mod plan;
mod report;
mod run;
mod simulate;
mod store;
mod verdicts;

use exit::{Exit, exit_of};
use std::panic;
use std::process::ExitCode;

fn main() -> ExitCode {
    panics::watch();
    // A panic's own exit status (101) is none of the documented ones.
    let exit = panic::catch_unwind(run).unwrap_or(Exit::Harness);
    if panics::happened() {
        output::error("this is a bug of zabchaos: please report it with the text above");
        return exit.worst(Exit::Harness).into();
    }
    exit.into()
}

fn run() -> Exit {
    let cli = match cli::Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return output::clap(&error),
    };
    let style = output::Style::new(cli.no_color);
    let ended = match cli.command {
        cli::Command::List(args) => commands::list(&args, style),
        cli::Command::Test(args) => commands::test(&args, style),
        cli::Command::Simulate(args) => commands::simulate(&args, style),
        cli::Command::Check(args) => commands::check(&args, style),
        cli::Command::VerifyCertificate(args) => commands::verify_certificate(&args),
        cli::Command::Convert(args) => commands::convert(&args),
        cli::Command::Replay(args) => commands::replay(&args, style),
        cli::Command::Node(args) => commands::node(args),
    };
    ended.unwrap_or_else(|error| {
        output::error(&format!("{error:#}"));
        exit_of(&error)
    })
}
