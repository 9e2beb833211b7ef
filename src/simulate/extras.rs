//! What other rooms of the simulator add to a single world: a diagram of its messages, a short script of a broken
//! run, a script played. One function each, and the only places where they are called from.

use crate::exit::{Exit, UsageError};
use std::path::Path;
use zab_sim::run::Parameters;

/// Who told whom what in the world of these parameters (`--trace`).
///
/// # Errors
/// When it cannot be drawn.
pub(super) fn diagram(_parameters: &Parameters) -> Result<String, UsageError> {
    // MERGE HERE: zab_sim::diagram::draw(the journal of draw(parameters, Options { journal: true })).
    Err(UsageError("--trace is not part of this build: leave it out".to_owned()))
}

/// The steps that a broken run stays broken with, as a script, with a sentence that says where it is; `None`
/// when there is none to show (`--shrink`).
pub(super) fn shrunk(_parameters: &Parameters) -> Option<String> {
    // MERGE HERE: zab_sim::script::write(zab_sim::run::shrink(parameters, steps of the broken run)).
    None
}

/// Plays a script (`--script`).
///
/// # Errors
/// When there is no such script, or it makes no sense.
pub(super) fn play(path: &Path, _trace: bool) -> anyhow::Result<Exit> {
    // MERGE HERE: zab_sim::script::read and play.
    let path = path.display();
    Err(UsageError(format!("'{path}' cannot be played: --script is not part of this build")).into())
}
