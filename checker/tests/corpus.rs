//! Every history of `testdata`: the folder is the verdict.

use std::path::{Path, PathBuf};

use checker::certificate::{self, Certificate};
use checker::{Class, FileReport, Model, Options, check_file};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("testdata is in the crate")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

/// The proof of a verdict is accepted by the verifier, which shares no code with what made it.
fn assert_proven(file: &Path, report: &FileReport) {
    let certificate = Certificate::of(&report.history, report.model, &report.checked);
    let verified = certificate::verify(&report.history, &certificate);
    let claim = verified.unwrap_or_else(|refusal| panic!("{}: {refusal}", file.display())).verdict;
    let expected = if report.checked.verdict.is_valid() { "Valid" } else { "Invalid" };
    assert_eq!(format!("{claim:?}"), expected, "{}", file.display());
}

fn check_folder(folder: &str, options: &Options) -> usize {
    let files = files(folder);
    for file in &files {
        let report = check_file(file, None, options).expect("the corpus is well-formed");
        assert_eq!(report.verdict.name(), folder, "{}: {}", file.display(), report.verdict);
        if folder != "unknown" {
            assert_proven(file, &report);
        }
    }
    files.len()
}

#[test]
fn every_file_gets_its_folder_as_verdict() {
    let options = Options::default();
    assert!(check_folder("valid", &options) >= 22);
    assert!(check_folder("invalid", &options) >= 55);
    assert!(check_folder("unknown", &options) >= 3);
}

#[test]
fn the_search_alone_gives_the_same_verdicts() {
    let options = Options { methods: checker::Methods::ENGINE, ..Options::default() };
    check_folder("valid", &options);
    check_folder("invalid", &options);
}

#[test]
fn every_invalid_file_is_explained() {
    for file in files("invalid") {
        let report = check_file(&file, None, &Options::default()).unwrap();
        if report.checked.verdict.is_invalid() {
            let counterexample = report.checked.counterexample.unwrap();
            assert!(!counterexample.why.is_empty() && !counterexample.ops.is_empty(), "{}", file.display());
        } else {
            let lies = report.stamps.as_ref().is_some_and(checker::Verdict::is_invalid);
            assert!(lies || !report.order.unwrap().findings.is_empty(), "{}", file.display());
        }
    }
}

#[test]
fn without_configurations_nothing_passes() {
    let options = Options { methods: checker::Methods::ENGINE, max_configs: 0, ..Options::default() };
    for folder in ["valid", "invalid"] {
        for file in files(folder) {
            let verdict = check_file(&file, None, &options).unwrap().verdict;
            // A history without any branching is decided before the first configuration is counted.
            assert!(folder == "valid" || !verdict.is_valid(), "{}: {verdict}", file.display());
        }
    }
}

/// The class that our own files name themselves after.
#[test]
fn anomalies_get_their_names() {
    for (file, class) in [
        ("register-stale-read", Class::StaleRead),
        ("register-lost-update", Class::LostUpdate),
        ("register-two-cas-replaced-one-value", Class::LostUpdate),
        ("register-phantom-read", Class::PhantomRead),
        ("register-failed-write-seen", Class::DirtyRead),
        ("register-order-inversion", Class::OrderInversion),
        ("register-dirty-read", Class::DirtyRead),
        ("counter-stale-read", Class::StaleRead),
        ("list-lost-append", Class::LostUpdate),
        ("list-two-orders", Class::OrderInversion),
        ("queue-delivered-twice", Class::DuplicateDelivery),
        ("queue-out-of-order", Class::OrderInversion),
        ("queue-empty-though-full", Class::WrongEmpty),
        ("lock-double-grant", Class::DoubleGrant),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/invalid/{file}.jsonl"));
        let found = check_file(&path, None, &Options::default()).unwrap().checked.counterexample.unwrap();
        assert_eq!(found.class, class, "{file}: {found}");
        assert!(found.minimal && found.ops.len() <= 4, "{file}: {found}");
    }
}

#[test]
fn stamps_that_lie_about_linearizable_values_get_their_own_name() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid/stamps-lie-about-the-order.jsonl");
    let report = check_file(&path, None, &Options::default()).unwrap();
    assert!(report.checked.verdict.is_valid() && report.order.unwrap().verdict.is_valid());
    let lie = report.stamps.unwrap();
    assert!(lie.reason().unwrap().starts_with("stamp lie: "), "{lie}");
}

#[test]
fn a_truncated_history_is_checked_and_says_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/valid");
    let report =
        check_file(&folder.join("register-pending-cas-old-unknown.jsonl"), None, &Options::default())
            .unwrap();
    assert!(report.truncated && report.verdict.is_valid());
}

#[test]
fn a_model_that_does_not_fit_is_refused_in_one_sentence() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid/register-stale-read.jsonl");
    let check = |model| check_file(&file, Some(model), &Options::default());
    assert_eq!(check(Model::CasRegister).unwrap().verdict.name(), "invalid");
    let cas = file.with_file_name("register-two-cas-replaced-one-value.jsonl");
    let error = check_file(&cas, Some(Model::Register), &Options::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "register-two-cas-replaced-one-value.jsonl: it cannot be checked against register: its operations \
         are those of cas-register"
    );
    let error = check_file(&file.with_file_name("none.jsonl"), None, &Options::default()).unwrap_err();
    assert!(error.to_string().starts_with("failed to read "), "{error}");
}
