//! `zabchaos verify-certificate`: checks the proof of a verdict.

use crate::cli::VerifyArgs;
use crate::commands::convert::history_at;
use crate::exit::{Exit, UsageError};
use crate::output;
use crate::plan::format_named;
use checker::certificate::{Certificate, verify};
use checker::formats::{Reading, load_with};

/// Says whether the certificate proves what it claims of the history.
///
/// # Errors
/// When history or certificate cannot be read.
pub(crate) fn verify_certificate(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let path = history_at(&args.history)?;
    let unusable = |error: checker::CheckError| UsageError(error.to_string());
    let format = args.format.as_deref().map(format_named).transpose()?;
    let reading = Reading { independent: args.independent };
    let (_, history) = load_with(&path, format, reading).map_err(unusable)?;
    let certificate = Certificate::open(&args.certificate).map_err(|error| {
        UsageError(format!("failed to read the certificate '{}': {error}", args.certificate.display()))
    })?;
    match verify(&history, &certificate) {
        Ok(verified) => {
            output::print(&format!("proven: {verified}\n"))?;
            Ok(Exit::Valid)
        }
        Err(refusal) => {
            output::print(&format!("refused: {refusal}\n"))?;
            Ok(Exit::Invalid)
        }
    }
}
