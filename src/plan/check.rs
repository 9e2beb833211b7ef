//! What `zabchaos check` is asked for, validated.

use super::parse::{duration_ms, narrow, number};
use super::unknown_name;
use crate::cli::CheckArgs;
use crate::exit::UsageError;
use checker::formats::{Format, Reading};
use checker::{Methods, Model, Options, Promise};
use std::path::PathBuf;
use std::time::Duration;

/// How histories are to be judged.
#[derive(Debug)]
pub(crate) struct CheckPlan {
    /// The model; without it, what the history's functions imply.
    pub(crate) model: Option<Model>,
    /// The format; without it, what the file's content implies.
    pub(crate) format: Option<Format>,
    /// What is promised.
    pub(crate) promise: Promise,
    /// Budgets and methods.
    pub(crate) options: Options,
    /// How to read what the format leaves open.
    pub(crate) reading: Reading,
    /// Where the certificate goes.
    pub(crate) certificate: Option<PathBuf>,
    /// An option that is about the history alone was typed. (That it is of registers is known of a run.)
    pub(crate) of_history: bool,
}

impl CheckPlan {
    /// Nothing was asked for that is about the history alone: a run is judged by all that it left.
    pub(crate) fn is_plain(&self) -> bool {
        !self.of_history
    }
}

/// Makes sense of the options of `zabchaos check`.
pub(crate) fn parse_check(args: &CheckArgs) -> Result<CheckPlan, UsageError> {
    let defaults = Options::default();
    let methods = args.method.as_deref().map(method_named).transpose()?.unwrap_or(Methods::ALL);
    let options = Options {
        time_limit: Duration::from_millis(duration_ms("--time-limit", &args.time_limit, 1..=86_400_000)?),
        max_bytes: bytes("--memory", &args.memory)?,
        threads: args.threads.as_deref().map_or(Ok(0), threads)?,
        max_counterexamples: narrow(number("--counterexamples", &args.counterexamples, 1..=1_000)?),
        methods,
        ..defaults
    };
    if args.certificate.is_some() && args.paths.len() > 1 {
        return Err(UsageError("--certificate is for one history: check the files one by one".into()));
    }
    let model = args.model.as_deref().map(model_named).transpose()?;
    Ok(CheckPlan {
        model,
        format: args.format.as_deref().map(format_named).transpose()?,
        promise: promise_named(&args.promise)?,
        options,
        reading: Reading { independent: args.independent },
        certificate: args.certificate.clone(),
        of_history: model.is_some_and(|model| !matches!(model, Model::Register | Model::CasRegister))
            || args.format.is_some()
            || args.method.is_some()
            || args.certificate.is_some()
            || args.independent
            || args.promise != "lin",
    })
}

fn model_named(name: &str) -> Result<Model, UsageError> {
    let known: Vec<&str> = Model::ALL.iter().map(|model| model.name()).collect();
    Model::from_name(name).ok_or_else(|| unknown_name("model", name, &known))
}

/// The format of that name.
pub(crate) fn format_named(name: &str) -> Result<Format, UsageError> {
    let known = Format::ALL.map(Format::word);
    let format = name.parse();
    format.map_err(|_unknown: String| unknown_name("format", name, &known))
}

fn promise_named(name: &str) -> Result<Promise, UsageError> {
    let known: Vec<&str> = Promise::ALL.iter().map(|promise| promise.name()).collect();
    Promise::from_name(name).ok_or_else(|| unknown_name("promise", name, &known))
}

fn method_named(name: &str) -> Result<Methods, UsageError> {
    let none = Methods { stamps: false, monitor: false, engine: false };
    Ok(match name {
        "auto" => Methods::ALL,
        "stamps" => Methods { stamps: true, ..none },
        "monitor" => Methods { monitor: true, ..none },
        "engine" => Methods::ENGINE,
        _ => return Err(unknown_name("method", name, &["auto", "stamps", "monitor", "engine"])),
    })
}

fn threads(text: &str) -> Result<usize, UsageError> {
    number("--threads", text, 1..=1_024).map(narrow)
}

/// A number with unit MiB or GiB (also MB, GB, M, G, which mean the same here).
fn bytes(option: &str, text: &str) -> Result<usize, UsageError> {
    let wrong = || {
        UsageError(format!(
            "{option} is '{text}', but takes a size from 1MiB to 1024GiB, such as 512MiB or 2GiB"
        ))
    };
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (digits, unit) = text.split_at(unit_at);
    let shift = match unit {
        "MiB" | "MB" | "M" => 20,
        "GiB" | "GB" | "G" => 30,
        _ => return Err(wrong()),
    };
    let count =
        digits.parse::<u64>().ok().filter(|&count| (1..=1 << 20).contains(&count)).ok_or_else(wrong)?;
    let size = count.checked_shl(shift).filter(|&size| size <= 1 << 40).ok_or_else(wrong)?;
    usize::try_from(size).ok().ok_or_else(wrong)
}
