//! `zabchaos convert`: writes a history in another format.

use crate::cli::ConvertArgs;
use crate::exit::{Exit, UsageError};
use crate::output;
use crate::plan::format_named;
use crate::store::{RunDir, write_whole};
use checker::formats::{Format, Reading, WriteError, load_with, loses, write};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Reads, writes, and says on standard error what was lost.
///
/// # Errors
/// When the history cannot be read or the file cannot be written.
pub(crate) fn convert(args: &ConvertArgs) -> anyhow::Result<Exit> {
    let to = match &args.to {
        Some(name) => format_named(name)?,
        None => by_ending(&args.to_path)?,
    };
    let from_path = history_at(&args.from_path)?;
    let unusable = |error: checker::CheckError| UsageError(error.to_string());
    let from = args.from.as_deref().map(format_named).transpose()?;
    let reading = Reading { independent: args.independent };
    let (_, history) = load_with(&from_path, from, reading).map_err(unusable)?;
    let to_stdout = args.to_path.as_os_str() == "-";
    if to_stdout {
        let mut out = BufWriter::new(io::stdout().lock());
        match write(to, &history, &mut out).and_then(|()| Ok(out.flush()?)) {
            // Whoever reads may have left.
            Err(WriteError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Exit::Valid);
            }
            Err(WriteError::Io(error)) => return Err(error.into()),
            Err(error @ WriteError::Format { .. }) => return Err(UsageError(error.to_string()).into()),
            Ok(()) => {}
        }
    } else {
        write_file(&args.to_path, args.force, to, &history)?;
        let file = args.to_path.display();
        output::print(&format!("{} operations written to {file} as {to}\n", history.len()))?;
    }
    for lost in loses(to, &history) {
        output::remark(&format!("{to} cannot hold everything: {lost}"));
    }
    Ok(Exit::Valid)
}

/// The history of a run's folder, or the file itself.
///
/// # Errors
/// When there is no such thing.
pub(crate) fn history_at(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.exists() {
        return Err(UsageError(format!("no run and no file at '{}'", path.display())).into());
    }
    Ok(if path.is_dir() { RunDir::open(path)?.history_path() } else { path.to_path_buf() })
}

fn by_ending(path: &Path) -> Result<Format, UsageError> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    Ok(match ending.as_str() {
        "jsonl" => Format::Jsonl,
        "columns" => Format::Columns,
        "edn" => Format::Edn,
        "log" => Format::JepsenLog,
        "tsv" => Format::Tsv,
        _ => {
            let known = Format::ALL.map(Format::word).join(", ");
            let path = path.display();
            let sentence = format!("the ending of '{path}' names no format: add --to with one of {known}");
            return Err(UsageError(sentence));
        }
    })
}

fn write_file(path: &Path, force: bool, to: Format, history: &checker::History) -> anyhow::Result<()> {
    if path.exists() && !force {
        let sentence = format!("'{}' exists: name another file, or add --force", path.display());
        return Err(UsageError(sentence).into());
    }
    write_whole(path, |out| match write(to, history, out) {
        Err(WriteError::Io(error)) => Err(error.into()),
        Err(error @ WriteError::Format { .. }) => Err(UsageError(error.to_string()).into()),
        Ok(()) => Ok(()),
    })
}
