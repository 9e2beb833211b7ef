//! Paths of znodes (`PathUtils.validatePath`).

use zab_wire::client::ErrorCode;

/// The path of the node above; the root's is the root.
pub(crate) fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

/// The last component.
pub(super) fn name(path: &str) -> &str {
    path.rfind('/').map_or(path, |at| &path[at + 1..])
}

/// Whether clients may use the path.
///
/// # Errors
/// `BadArguments`
pub(crate) fn validate(path: &str) -> Result<(), ErrorCode> {
    if path == "/" {
        return Ok(());
    }
    let well_formed = path.starts_with('/')
        && path[1..].split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.chars().any(forbidden);
    if well_formed { Ok(()) } else { Err(ErrorCode::BadArguments) }
}

fn forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}')
}
