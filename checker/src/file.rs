//! `zabchaos check FILE`: one call from a path to a report.

use std::path::Path;

use serde::Serialize;

use crate::check::Checked;
use crate::formats::{Format, load};
use crate::history::History;
use crate::order::{OrderReport, check_order};
use crate::{CheckError, Model, Options, Verdict, check_kv, check_register};

/// What is known of a file after checking it.
#[derive(Debug, Clone, Serialize)]
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
}

/// Checks the history at `path`: format and, if not given, model are found from its content.
///
/// # Errors
/// When the file cannot be read or understood, or holds operations the model does not have. Each error
/// is one sentence that names the file, and the line where there is one.
pub fn check_file(path: &Path, model: Option<Model>, options: &Options) -> Result<FileReport, CheckError> {
    let (format, history) = load(path)?;
    let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
    let wrong = |what: String| CheckError::Format { name: name.clone(), what };
    if history.counts.by_f.is_empty() {
        return Err(wrong("there are no operations in it".into()));
    }
    let found = model_of(&history).map_err(wrong)?;
    let model = match model {
        None => found,
        // A plain register is a cas-register without cas; a store of reads and writes is one register a key.
        Some(asked) if asked == found || found == Model::Register => asked,
        Some(asked) => {
            return Err(wrong(format!(
                "it cannot be checked against {asked}: its operations are those of {found}"
            )));
        }
    };
    let checked = match found {
        Model::Register | Model::CasRegister => check_register(&history, options)?,
        Model::Kv => check_kv(&history, options)?,
    };
    let order = history.calls.iter().any(|call| call.zxid.is_some()).then(|| check_order(&history));
    let mut verdict = checked.verdict.clone();
    // Zxids that say nothing do not make the values doubtful.
    if let Some(order) = order.as_ref().filter(|order| order.verdict.is_invalid()) {
        verdict = verdict.merge(order.verdict.clone());
    }
    Ok(FileReport {
        format,
        model,
        verdict,
        lines: history.lines,
        truncated: history.truncated,
        checked,
        order,
    })
}

fn model_of(history: &History) -> Result<Model, String> {
    let (mut register, mut cas, mut kv) = (false, false, false);
    for f in history.counts.by_f.keys() {
        match f.as_str() {
            "read" | "write" => register = true,
            "cas" => cas = true,
            "get" | "put" | "append" => kv = true,
            other => {
                return Err(format!(
                    "no model has the operation {other:?} (register: read, write; cas-register: and cas; kv: get, put, append)"
                ));
            }
        }
    }
    match (register, cas, kv) {
        (_, _, false) => Ok(if cas { Model::CasRegister } else { Model::Register }),
        (false, false, true) => Ok(Model::Kv),
        (_, _, true) => Err("it mixes operations of a register with those of a string store".into()),
    }
}
