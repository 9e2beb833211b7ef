//! `zabchaos check FILE`: one call from a path to a report.

use std::path::Path;

use serde::Serialize;

use crate::check::Checked;
use crate::formats::{Format, load};
use crate::history::History;
use crate::order::{OrderReport, check_order, check_stamps};
use crate::{CheckError, Model, Options, Verdict};

/// What is known of a file after checking it.
#[derive(Debug, Serialize)]
pub struct FileReport {
    /// The format it was found to be in.
    pub format: Format,
    /// The model it was checked against.
    pub model: Model,
    /// The worst of the model's verdict and the order's.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Lines (or operations, in formats of one line each) read.
    pub lines: u64,
    /// The last line was cut off and left out.
    pub truncated: bool,
    /// The check against the model.
    pub checked: Checked,
    /// The check of zxids; only where the history carries any.
    pub order: Option<OrderReport>,
    /// Whether the stamps' own order explains the values; only for registers that are linearizable.
    pub stamps: Option<Verdict>,
    /// The history itself.
    #[serde(skip)]
    pub history: History,
}

/// Checks the history at `path`: format and, if not given, model are found from its content.
///
/// # Errors
/// When the file cannot be read or understood. Each error is one sentence that names the file, and the line
/// where there is one.
pub fn check_file(path: &Path, model: Option<Model>, options: &Options) -> Result<FileReport, CheckError> {
    let (format, history) = load(path)?;
    let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
    check_loaded(&name, format, history, model, options)
}

/// Checks a history that was read from a file called `name`.
///
/// # Errors
/// As [`check_file`].
pub fn check_loaded(
    name: &str,
    format: Format,
    history: History,
    model: Option<Model>,
    options: &Options,
) -> Result<FileReport, CheckError> {
    let wrong = |what: String| CheckError::Format { name: name.to_owned(), what };
    if history.counts.by_f.is_empty() && history.others.is_empty() {
        return Err(wrong("there are no operations in it".into()));
    }
    let model = match (model, Model::of(&history)) {
        // The nemesis alone was at work: nothing can be judged, by any model.
        (asked, _) if history.counts.by_f.is_empty() => asked.unwrap_or(Model::CasRegister),
        (None, Ok(found)) => found,
        (None, Err(why)) => return Err(wrong(why)),
        // A store of reads and writes is one register a key.
        (Some(Model::Kv), Ok(Model::Register)) => Model::Register,
        (Some(asked), Ok(found)) if !asked.fits(&history) => {
            return Err(wrong(format!(
                "it cannot be checked against {asked}: its operations are those of {found}"
            )));
        }
        (Some(asked), _) => asked,
    };
    let checked = model.check(&history, options)?;
    let order = history.has_zxids().then(|| check_order(&history));
    let mut verdict = checked.verdict.clone();
    // Zxids that say nothing do not make the values doubtful.
    if let Some(order) = order.as_ref().filter(|order| order.verdict.is_invalid()) {
        verdict = verdict.merge(order.verdict.clone());
    }
    let of_registers = matches!(model, Model::Register | Model::CasRegister);
    let stamps = if of_registers && history.has_zxids() && checked.verdict.is_valid() {
        check_stamps(&history)?
    } else {
        None
    };
    if let Some(lie) = stamps.as_ref().filter(|stamps| stamps.is_invalid()) {
        verdict = verdict.merge(lie.clone());
    }
    let (lines, truncated) = (history.lines, history.truncated);
    Ok(FileReport { format, model, verdict, lines, truncated, checked, order, stamps, history })
}
