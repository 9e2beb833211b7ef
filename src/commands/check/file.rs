//! Judges a history file of whatever tool.

use super::{Found, cut_off};
use crate::exit::UsageError;
use crate::plan::CheckPlan;
use crate::report::NamedVerdict;
use crate::verdicts::final_reads_agree;
use checker::certificate::Certificate;
use checker::formats::{Format, load_with};
use checker::{
    FileReport, History, Method, Model, Op, Promise, Verdict, check_loaded, check_promise, check_real_time,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// Judges the file.
///
/// # Errors
/// When it cannot be read or understood.
pub(super) fn judge(path: &Path, plan: &CheckPlan) -> Result<Found, UsageError> {
    let unusable = |error: checker::CheckError| UsageError(error.to_string());
    let began = Instant::now();
    let (format, history) = load_with(path, plan.format, plan.reading).map_err(unusable)?;
    let read_in = began.elapsed();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match plan.promise {
        Promise::Lin => {
            let began = Instant::now();
            // A register whose history holds cas is judged with them, whichever of the two names was typed.
            let typed_register = plan.model == Some(Model::Register);
            let model = if typed_register { Some(Model::CasRegister) } else { plan.model };
            let report = check_loaded(&name, format, history, model, &plan.options).map_err(|error| {
                let sentence = error.to_string();
                UsageError(if typed_register {
                    sentence.replace("against cas-register", "against register")
                } else {
                    sentence
                })
            })?;
            let took = (read_in, began.elapsed());
            if let Some(certificate) = &plan.certificate {
                write_certificate(certificate, &report)?;
            }
            Ok(of_report(path, report, took))
        }
        Promise::SyncLin | Promise::Osc | Promise::Session => of_promise(path, &history, plan),
    }
}

fn of_report(path: &Path, report: FileReport, took: (Duration, Duration)) -> Found {
    let decided = decided(&report, took);
    let mut verdicts = vec![NamedVerdict::new("linearizable", report.checked.verdict.clone())];
    verdicts
        .extend(report.order.as_ref().map(|order| NamedVerdict::new("zxid order", order.verdict.clone())));
    let stamps = report.stamps.clone();
    verdicts.extend(stamps.map(|verdict| NamedVerdict::new("stamps explain the values", verdict)));
    if report.format == Format::Jsonl || report.format == Format::Columns {
        verdicts.extend(of_own_history(&report.history));
    }
    // What says nothing of stamps or final reads does not make the values doubtful.
    let worst = verdicts.iter().skip(1).filter(|one| one.verdict.is_invalid());
    let verdict = worst.fold(report.verdict, |worst, one| worst.merge(one.verdict.clone()));
    Found {
        verdict,
        verdicts,
        read: format!("{} lines of {}, as {}", report.lines, path.display(), report.model),
        decided: Some(decided),
        notes: cut_off(report.truncated),
        counterexamples: report.checked.counterexamples().cloned().collect(),
    }
}

/// What this tool's own histories allow besides.
fn of_own_history(history: &History) -> Vec<NamedVerdict> {
    let mut verdicts = Vec::new();
    if history.has_zxids() {
        verdicts.push(NamedVerdict::new("real-time order", check_real_time(history)));
    }
    let ops: Vec<Op> = history.events().map(|(at, event)| event.to_op(history, at)).collect();
    verdicts.extend(final_reads_agree(&ops).map(|verdict| NamedVerdict::new("final reads", verdict)));
    verdicts
}

fn of_promise(path: &Path, history: &History, plan: &CheckPlan) -> Result<Found, UsageError> {
    if plan.certificate.is_some() {
        let sentence = format!("--certificate goes with --promise lin, not with {}", plan.promise.name());
        return Err(UsageError(sentence));
    }
    let found = check_promise(history, plan.promise, plan.model, &plan.options)
        .map_err(|error| UsageError(error.to_string()))?;
    Ok(Found {
        verdicts: vec![NamedVerdict::new(plan.promise.title(), found.verdict.clone())],
        verdict: found.verdict,
        read: format!("{} lines of {}", history.lines, path.display()),
        decided: None,
        notes: cut_off(history.truncated).into_iter().chain(found.notes).collect(),
        counterexamples: found.counterexamples,
    })
}

/// Such as "9 keys by monitor, 1 by engine; read in 12.1 ms, decided in 3.4 ms".
fn decided(report: &FileReport, (read, checked): (Duration, Duration)) -> String {
    let by = |method: Method| report.checked.keys.iter().filter(|key| key.method == method).count();
    let methods = [
        (Method::Monitor, "by monitor"),
        (Method::Stamps, "by stamps"),
        (Method::Engine, "by engine"),
        (Method::None, "undecided"),
    ];
    let keys = |count: usize| if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
    let parts: Vec<String> = methods
        .into_iter()
        .filter(|(method, _)| by(*method) > 0)
        .map(|(method, name)| format!("{} {name}", keys(by(method))))
        .collect();
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    format!("{}; read in {}, decided in {}", parts.join(", "), ms(read), ms(checked))
}

fn write_certificate(path: &Path, report: &FileReport) -> Result<(), UsageError> {
    if let Verdict::Unknown(reason) = &report.checked.verdict {
        return Err(UsageError(format!("nothing was proven, so there is no certificate: {reason}")));
    }
    let certificate = Certificate::of(&report.history, report.model, &report.checked);
    certificate
        .save(path)
        .map_err(|error| UsageError(format!("failed to write the certificate '{}': {error}", path.display())))
}
