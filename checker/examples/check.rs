//! Checks files and prints a line each: `cargo run --release -p checker --example check -- FILE...`
//!
//! `--search` uses the general search alone, `-v` prints counterexamples. The user's command is
//! `zabchaos check`; this one is for comparing many files with other checkers.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::path::Path;
use std::time::Instant;

use checker::{Methods, Options, check_file};

fn main() {
    let (flags, files): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|a| a.starts_with('-'));
    let has = |flag: &str| flags.iter().any(|f| f == flag);
    let options = Options {
        methods: if has("--search") { Methods::ENGINE } else { Methods::ALL },
        ..Options::default()
    };
    for file in files {
        let start = Instant::now();
        match check_file(Path::new(&file), None, &options) {
            Err(error) => println!("error    {file}: {error}"),
            Ok(report) => {
                let ms = start.elapsed().as_secs_f64() * 1000.0;
                println!(
                    "{:8} {ms:9.2} ms  {file}  ({}, {})",
                    report.verdict.name(),
                    report.format,
                    report.model
                );
                if has("-v") {
                    println!("  {}", report.verdict);
                    report.checked.counterexample.iter().for_each(|found| println!("{found}"));
                }
            }
        }
    }
}
