//! Golden protocol scripts: `tests/golden/*.txt` say what happens, and what the servers then said to each
//! other and went through. `REWRITE=1 cargo test -p zab-sim --test golden` writes what happens now into the
//! files; read the difference before you keep it. `zab_sim::script` explains the language.

#![expect(clippy::unwrap_used, reason = "a test's helper fails as the test does")]

use std::path::{Path, PathBuf};
use zab_sim::script;

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "txt")).collect();
    paths.sort();
    paths
}

/// What differs first, with what is around it: whole scripts are too long to compare by eye.
fn difference(expected: &str, actual: &str) -> String {
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    let at = lines.find(|(_, (expected, actual))| expected != actual).map(|(at, _)| at);
    let at = at.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
    let excerpt = |text: &str| {
        let lines: Vec<&str> = text.lines().skip(at.saturating_sub(3)).take(8).collect();
        lines.join("\n  ")
    };
    format!("from line {} on it says\n  {}\ninstead of\n  {}", at + 1, excerpt(actual), excerpt(expected))
}

#[test]
fn scripts_play_as_written() {
    let paths = scripts();
    assert!(paths.len() >= 20, "the scripts are there");
    let rewrite = std::env::var_os("REWRITE").is_some();
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected = std::fs::read_to_string(&path).unwrap();
        let played = match script::perform(&expected) {
            Ok(played) => played,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        if rewrite {
            std::fs::write(&path, &played.text).unwrap();
        } else if played.text != expected {
            wrong.push(format!("{name}: {}", difference(&expected, &played.text)));
        }
        if let Err(why) = played.verdict() {
            wrong.push(format!("{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
