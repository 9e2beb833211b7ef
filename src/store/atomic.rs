//! Whole files or none: written beside, made durable, renamed into place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// Writes the file so that whoever reads it, also after a crash, sees the old or the new content.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let beside = path.with_file_name(name);
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// As [`write`], with content that is made while it is written. Nothing is left behind when making it fails.
pub(crate) fn write_whole(
    path: &Path,
    make: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let beside = path.with_file_name(name);
    let written = || -> anyhow::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&beside)?);
        make(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(fs::rename(&beside, path)?)
    };
    written().inspect_err(|_| drop(fs::remove_file(&beside)))
}

/// Points the link at `target`, replacing an older link in one step.
pub(super) fn link(link: &Path, target: &Path) -> io::Result<()> {
    let mut name = link.file_name().unwrap_or_default().to_owned();
    // Two tools that end at the same moment must not trip over one another's half-made link.
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = link.with_file_name(name);
    let _stale = fs::remove_file(&beside);
    std::os::unix::fs::symlink(target, &beside)?;
    fs::rename(&beside, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.json");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        link(&dir.path().join("latest"), Path::new("a")).unwrap();
        link(&dir.path().join("latest"), Path::new("b")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_link(dir.path().join("latest")).unwrap(), Path::new("b"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
