//! `cargo bench -p checker`: how long checks take, after parsing, on one thread. The same cases with memory and the
//! peers' figures: `cargo run --release -p checker --example figures`.

mod cases;
mod world;

use std::path::Path;
use std::time::Duration;

use checker::formats::{Format, load, parse, write};
use checker::{History, Methods, Model, Options};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use world::{Kind, Load};

fn checks(c: &mut Criterion) {
    let mut group = c.benchmark_group("check");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(2));
    for case in cases::cases() {
        let history = case.load.generate();
        group.throughput(Throughput::Elements(history.len() as u64));
        group.bench_function(case.name, |b| {
            b.iter(|| {
                let checked = case.model().check(&history, &case.options()).expect("the shapes are right");
                case.assert(&checked.verdict);
            });
        });
    }
}

/// The public histories of etcd that are in the corpus, by monitor and engine, and by the engine alone.
fn etcd(c: &mut Criterion) {
    let mut group = c.benchmark_group("etcd histories");
    let histories = corpus("jepsen-etcd");
    for (name, methods) in [("all methods", Methods::ALL), ("engine", Methods::ENGINE)] {
        let options = Options { methods, threads: 1, max_counterexamples: 0, ..Options::default() };
        group.bench_function(format!("{} files, {name}", histories.len()), |b| {
            b.iter(|| {
                for history in &histories {
                    Model::CasRegister.check(history, &options).expect("the shapes are right");
                }
            });
        });
    }
}

fn corpus(begins: &str) -> Vec<History> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let files =
        ["valid", "invalid"].map(|verdict| std::fs::read_dir(folder.join(verdict)).expect("the corpus"));
    let paths = files.into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begins))
    };
    paths.filter(named).map(|path| load(&path).expect("the corpus is well-formed").1).collect()
}

fn formats(c: &mut Criterion) {
    let history = Load::new(Kind::Register, 10, 1_000_000).generate();
    let mut group = c.benchmark_group("1 M operations");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(2));
    for format in [Format::Columns, Format::Jsonl] {
        let mut bytes = Vec::new();
        group.bench_function(format!("write {}", format.word()), |b| {
            b.iter(|| {
                bytes.clear();
                write(format, &history, &mut bytes).expect("a format that holds everything");
            });
        });
        group.bench_function(format!("read {}", format.word()), |b| {
            b.iter(|| parse(format, "bench", &bytes).expect("it was written just now"));
        });
    }
}

criterion_group!(benches, etcd, formats, checks);
criterion_main!(benches);
