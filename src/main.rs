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
mod plan;
mod report;
mod run;
mod store;
mod verdicts;

use clap::Parser as _;
use exit::{Exit, exit_of};
use std::panic;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the panic hook, so that a panic in any task or thread ends as a harness failure.
static PANICKED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Ordering::SeqCst);
        report(info);
    }));
    // A panic's own exit status (101) is none of the documented ones.
    let exit = panic::catch_unwind(run).unwrap_or(Exit::Harness);
    if PANICKED.load(Ordering::SeqCst) {
        output::error("this is a bug of zabchaos: please report it with the text above");
        return exit.worst(Exit::Harness).into();
    }
    exit.into()
}

fn run() -> Exit {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::clap(&error),
    };
    let style = output::Style::new(cli.no_color);
    let ended = match cli.command {
        cli::Command::List(args) => commands::list(&args, style),
        cli::Command::Test(args) => commands::test(&args, style),
        cli::Command::Check(args) => commands::check(&args, style),
        cli::Command::Replay(args) => commands::replay(&args, style),
        cli::Command::Node(args) => commands::node(args),
    };
    ended.unwrap_or_else(|error| {
        output::error(&format!("{error:#}"));
        exit_of(&error)
    })
}
