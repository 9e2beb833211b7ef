//! Keeps the drawing of docs/ARCHITECTURE.md true: reads manifests and sources, compiles nothing. Every
//! rule is a function from files to complaints, and is shown to bite on a bad snippet.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Longest file, in lines: past it a room wants a wall.
const LINES_MAX: usize = 800;

/// Which crate may name which other crate of the workspace.
const ARROWS: [(&str, &[&str]); 7] = [
    ("zab-wire", &[]),
    ("zab-core", &["zab-wire"]),
    ("zab-node", &["zab-wire", "zab-core"]),
    ("zab-sim", &["zab-wire", "zab-core", "workloads", "checker"]),
    ("checker", &[]),
    ("workloads", &["checker", "zab-wire"]),
    ("zabchaos", &["checker", "workloads", "zab-node", "zab-sim", "zab-wire"]),
];

/// What the core must not know: its clock, disk and network are events and effects.
const NOT_IN_CORE: [&str; 11] = [
    "tokio",
    "std::net",
    "std::fs",
    "std::time",
    "std::thread",
    "std::env",
    "std::process",
    "HashMap",
    "HashSet",
    "RandomState",
    "rand::",
];

/// What a workload must not know: whoever carries its operations out has these.
const NOT_IN_WORKLOADS: [&str; 4] = ["tokio", "std::net", "std::time", "std::thread"];

/// Calls that make or change files.
const FILE_WRITES: [&str; 8] = [
    "fs::write",
    "File::create",
    "OpenOptions",
    "create_dir",
    "fs::rename",
    "fs::copy",
    "symlink",
    "remove_dir",
];

/// Who in src/ may write files: the store; and the streams of a run, each in the path it is given (the
/// nodes' own folders, the history).
const FILE_WRITERS: [&str; 3] = ["src/store/", "src/cluster/", "src/interpreter/"];

/// The one file that decides between *fail* and *info*.
const OUTCOMES: &str = "workloads/src/outcome.rs";

/// A file of the project: path from the root with forward slashes, and text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines of code with their numbers: comments and doc comments may speak of anything.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).map(|(number, line)| (number, line.split("//").next().unwrap_or("")))
    }

    /// A file of tests only.
    fn is_tests(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.split('/').any(|folder| folder == "tests")
    }

    /// The file without the tests at its end, which may do what they like.
    fn without_tests(&self) -> Self {
        let end = self.text.find("#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        Self::new(&self.path, &self.text[..end])
    }

    fn complain_where(&self, names: &[&str], why: &str) -> Vec<String> {
        let mut complaints = Vec::new();
        for (number, line) in self.code() {
            for name in names.iter().filter(|name| has_word(line, name)) {
                complaints.push(format!("{}:{number}: {name}: {why}", self.path));
            }
        }
        complaints
    }
}

/// True when `name` stands in the line and is not a part of a longer word.
fn has_word(line: &str, name: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + name.len()..].chars().next());
        !is_word(before) && (name.ends_with(':') || !is_word(after))
    })
}

fn project() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the project can be read").filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let skipped = ["target", ".git", "testdata", "proptest-regressions"].contains(&name.as_str());
            let kind = entry.file_type().expect("it was just listed");
            if kind.is_dir() && !skipped && entry.path() != root.join("results") {
                folders.push(entry.path());
            } else if kind.is_file() && name != "Cargo.lock" {
                let path = entry.path();
                let short = path
                    .strip_prefix(root)
                    .expect("it is under the root")
                    .to_string_lossy()
                    .replace('\\', "/");
                sources.extend(fs::read_to_string(&path).ok().map(|text| Source { path: short, text }));
            }
        }
    }
    assert!(sources.len() > 40, "the project was not found under {}", root.display());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// A manifest's package name and the crates it depends on (for whatever purpose), by section.
struct Manifest {
    package: String,
    dependencies: Vec<String>,
    sections: BTreeMap<String, Vec<String>>,
}

impl Manifest {
    fn read(text: &str) -> Self {
        let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut section = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                Some(name) => name.clone_into(&mut section),
                None => sections.entry(section.clone()).or_default().push(line.to_owned()),
            }
        }
        let key = |line: &String| line.split(['=', '.', ' ']).next().unwrap_or_default().to_owned();
        let package = sections.get("package").and_then(|lines| lines.iter().find(|line| key(line) == "name"));
        let package = package.and_then(|line| line.split('"').nth(1)).unwrap_or_default().to_owned();
        let is_dependencies = |name: &str| name.ends_with("dependencies") && !name.starts_with("workspace");
        let dependencies = sections
            .iter()
            .filter(|(name, _)| is_dependencies(name))
            .flat_map(|(_, lines)| lines.iter().map(key))
            .collect();
        Self { package, dependencies, sections }
    }
}

fn manifests(sources: &[Source]) -> impl Iterator<Item = (&Source, Manifest)> {
    sources
        .iter()
        .filter(|source| source.path.ends_with("Cargo.toml"))
        .map(|source| (source, Manifest::read(&source.text)))
}

// ---- the rules ----

fn arrows_run_one_way(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (source, manifest) in manifests(sources) {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == manifest.package) else {
            complaints.push(format!("{}: crate '{}' has no row in ARROWS", source.path, manifest.package));
            continue;
        };
        let in_workspace = |name: &String| ARROWS.iter().any(|(known, _)| known == name);
        for name in manifest.dependencies.iter().filter(|name| in_workspace(name)) {
            if !allowed.contains(&name.as_str()) {
                complaints.push(format!("{}: {} must not depend on {name}", source.path, manifest.package));
            }
        }
    }
    complaints
}

fn every_crate_keeps_the_lints(sources: &[Source]) -> Vec<String> {
    let lints = |manifest: &Manifest| {
        manifest.sections.get("lints").is_some_and(|l| l.contains(&"workspace = true".into()))
    };
    manifests(sources)
        .filter(|(_, manifest)| !lints(manifest))
        .map(|(source, _)| format!("{}: no [lints] workspace = true", source.path))
        .collect()
}

fn plain_cargo_test_tests_every_crate(sources: &[Source]) -> Vec<String> {
    let root =
        sources.iter().find(|source| source.path == "Cargo.toml").map(|source| Manifest::read(&source.text));
    let workspace = root.and_then(|manifest| manifest.sections.get("workspace").cloned()).unwrap_or_default();
    let list = |key: &str| workspace.iter().find_map(|line| line.strip_prefix(key).map(str::to_owned));
    if list("default-members = ").is_some() && list("default-members = ") == list("members = ") {
        return Vec::new();
    }
    vec!["Cargo.toml: default-members and members differ".into()]
}

fn the_core_is_pure(sources: &[Source]) -> Vec<String> {
    let core = sources.iter().filter(|source| source.is_rust() && source.is_under("node/core/src/"));
    core.flat_map(|source| source.complain_where(&NOT_IN_CORE, "the core is a pure state machine")).collect()
}

fn the_checker_knows_no_node(sources: &[Source]) -> Vec<String> {
    let checker = sources.iter().filter(|source| source.is_rust() && source.is_under("checker/"));
    let names = ["zab_wire", "zab_core", "zab_node", "workloads"];
    checker
        .flat_map(|source| source.complain_where(&names, "the checker could share a bug with it"))
        .collect()
}

fn nodes_know_no_harness(sources: &[Source]) -> Vec<String> {
    // The simulator tests nodes itself.
    let node = sources
        .iter()
        .filter(|source| source.is_rust() && source.is_under("node/") && !source.is_under("node/sim/"));
    let names = ["checker::", "workloads::", "zabchaos::"];
    node.flat_map(|source| source.complain_where(&names, "a node must not know who tests it")).collect()
}

fn workloads_know_no_connection(sources: &[Source]) -> Vec<String> {
    let rooms = |source: &&Source| source.is_rust() && source.is_under("workloads/src/");
    // The interface to clients speaks of addresses and timeouts.
    let carries = |source: &&Source| {
        source.is_under("workloads/src/zookeeper/") || source.is_under("workloads/src/lib.rs")
    };
    let rest = sources.iter().filter(rooms).filter(|source| !carries(source));
    rest.flat_map(|source| source.complain_where(&NOT_IN_WORKLOADS, "a simulator could not carry it out"))
        .collect()
}

fn one_file_runs_nodes(sources: &[Source]) -> Vec<String> {
    let control = sources.iter().filter(|source| source.is_rust() && source.is_under("src/"));
    control
        .filter(|source| source.path != "src/commands/node.rs")
        .flat_map(|source| {
            source.complain_where(&["zab_node", "zab_core"], "nodes are processes to the harness")
        })
        .collect()
}

fn the_store_alone_writes_results(sources: &[Source]) -> Vec<String> {
    let control =
        sources.iter().filter(|source| source.is_rust() && source.is_under("src/") && !source.is_tests());
    control
        .filter(|source| !FILE_WRITERS.iter().any(|writer| source.is_under(writer)))
        .flat_map(|source| {
            source.without_tests().complain_where(&FILE_WRITES, "src/store writes what a run leaves behind")
        })
        .collect()
}

fn one_file_decides_outcomes(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let rooms = |source: &&Source| source.is_under("src/") || source.is_under("workloads/src/");
    for source in sources.iter().filter(rooms).filter(|source| source.is_rust() && !source.is_tests()) {
        if source.path == OUTCOMES {
            continue;
        }
        for (number, line) in source.without_tests().code() {
            if ["Status::Fail", "Status::Info"].iter().any(|name| makes(line, name)) {
                complaints
                    .push(format!("{}:{number}: {OUTCOMES} decides between fail and info", source.path));
            }
        }
    }
    complaints
}

/// Whether the line makes this value, rather than comparing with it or matching it.
fn makes(line: &str, name: &str) -> bool {
    let looks = ["== ", "!= ", "let ", "matches!("];
    line.split_once(name).is_some_and(|(before, after)| {
        !after.contains("=>") && !looks.iter().any(|look| before.contains(look))
    })
}

fn files_are_short(sources: &[Source]) -> Vec<String> {
    let long = |source: &&Source| source.is_rust() && source.text.lines().count() > LINES_MAX;
    sources
        .iter()
        .filter(long)
        .map(|source| format!("{}: more than {LINES_MAX} lines", source.path))
        .collect()
}

fn files_open_with_what_they_are(sources: &[Source]) -> Vec<String> {
    let silent = |source: &&Source| source.is_rust() && !source.text.starts_with("//!");
    sources.iter().filter(silent).map(|source| format!("{}: does not open with //!", source.path)).collect()
}

fn no_file_knows_one_machine(sources: &[Source]) -> Vec<String> {
    // Put together here, so that this file does not complain about itself.
    let homes = ["home", "root", "work", "Users"].map(|home| format!("/{home}/"));
    let mut complaints = Vec::new();
    for source in sources {
        for (number, line) in (1..).zip(source.text.lines()) {
            let stands_alone = |home: &String| {
                line.match_indices(home.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || "._-}/:".contains(c))
                })
            };
            for home in homes.iter().filter(|home| stands_alone(home)) {
                complaints.push(format!("{}:{number}: {home} is a path of one machine", source.path));
            }
        }
    }
    complaints
}

// ---- the project keeps them ----

#[track_caller]
fn keeps(rule: fn(&[Source]) -> Vec<String>) {
    let complaints = rule(&project());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The rule complains exactly about the bad snippet, and not about the good one.
#[track_caller]
fn bites(rule: fn(&[Source]) -> Vec<String>, path: &str, bad: &str, good: &str) {
    assert_eq!(rule(&[Source::new(path, bad)]).len(), 1, "bad: {bad}");
    assert_eq!(rule(&[Source::new(path, good)]), Vec::<String>::new(), "good: {good}");
}

#[test]
fn dependencies_run_as_drawn() {
    keeps(arrows_run_one_way);
    let manifest = |name: &str, dependency: &str| {
        format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependency}.workspace = true\n")
    };
    bites(
        arrows_run_one_way,
        "checker/Cargo.toml",
        &manifest("checker", "zab-wire"),
        &manifest("checker", "serde"),
    );
    let dev = "[package]\nname = \"zab-core\"\n[dev-dependencies]\nzab-node = { path = \"..\" }\n";
    bites(arrows_run_one_way, "node/core/Cargo.toml", dev, &manifest("zab-core", "zab-wire"));
    bites(arrows_run_one_way, "new/Cargo.toml", &manifest("new", "serde"), &manifest("workloads", "checker"));
}

#[test]
fn lints_hold_everywhere() {
    keeps(every_crate_keeps_the_lints);
    bites(
        every_crate_keeps_the_lints,
        "x/Cargo.toml",
        "[package]\nname = \"x\"\n",
        "[package]\nname = \"x\"\n[lints]\nworkspace = true\n",
    );
}

#[test]
fn cargo_test_means_all_of_it() {
    keeps(plain_cargo_test_tests_every_crate);
    bites(
        plain_cargo_test_tests_every_crate,
        "Cargo.toml",
        "[workspace]\nmembers = [\".\", \"node\"]\ndefault-members = [\".\"]\n",
        "[workspace]\nmembers = [\".\", \"node\"]\ndefault-members = [\".\", \"node\"]\n",
    );
}

#[test]
fn the_core_has_no_clock_disk_network_or_chance() {
    keeps(the_core_is_pure);
    let path = "node/core/src/server.rs";
    for name in NOT_IN_CORE {
        bites(the_core_is_pure, path, &format!("let x = {name};\n"), &format!("// unlike {name}\n"));
    }
    bites(the_core_is_pure, path, "use std::time::Instant;\n", "let grand::child = operand::x;\n");
}

#[test]
fn the_checker_stands_alone() {
    keeps(the_checker_knows_no_node);
    bites(the_checker_knows_no_node, "checker/src/x.rs", "use zab_wire::Zxid;\n", "let zab_wires = 1;\n");
}

#[test]
fn a_node_does_not_know_its_tester() {
    keeps(nodes_know_no_harness);
    bites(nodes_know_no_harness, "node/src/x.rs", "use checker::Verdict;\n", "let my_checker::x = 1;\n");
}

#[test]
fn operations_need_no_connection() {
    keeps(workloads_know_no_connection);
    let path = "workloads/src/register.rs";
    for name in NOT_IN_WORKLOADS {
        bites(workloads_know_no_connection, path, &format!("use {name}::x;\n"), &format!("// no {name}\n"));
    }
    let carrier = Source::new("workloads/src/zookeeper/client.rs", "use std::time::Instant;\n");
    assert_eq!(workloads_know_no_connection(&[carrier]), Vec::<String>::new());
}

#[test]
fn nodes_are_processes_to_the_harness() {
    keeps(one_file_runs_nodes);
    bites(one_file_runs_nodes, "src/run.rs", "zab_node::run(options)\n", "// runs zab_node\n");
    assert_eq!(
        one_file_runs_nodes(&[Source::new("src/commands/node.rs", "zab_node::run(o)")]),
        Vec::<String>::new()
    );
}

#[test]
fn only_the_store_writes_results() {
    keeps(the_store_alone_writes_results);
    for call in FILE_WRITES {
        let good = format!("fn y() {{}}\n#[cfg(test)]\nmod tests {{ fn x() {{ {call} }} }}\n");
        bites(the_store_alone_writes_results, "src/report/x.rs", &format!("std::{call}(path)\n"), &good);
    }
}

#[test]
fn one_place_knows_fail_from_info() {
    keeps(one_file_decides_outcomes);
    let path = "workloads/src/register.rs";
    let good = "match status { Status::Fail | Status::Info => {} }\nif status == Status::Info {}\n";
    bites(one_file_decides_outcomes, path, "return Completion { status: Status::Fail, ..done };\n", good);
    bites(one_file_decides_outcomes, path, "Err(_) => Status::Info,\n", "if let Status::Info = status {}\n");
}

#[test]
fn rooms_have_walls() {
    keeps(files_are_short);
    bites(files_are_short, "src/x.rs", &"x\n".repeat(801), &"x\n".repeat(800));
}

#[test]
fn files_say_what_they_are() {
    keeps(files_open_with_what_they_are);
    bites(files_open_with_what_they_are, "src/x.rs", "use x;\n", "//! X.\n");
}

#[test]
fn nothing_depends_on_one_machine() {
    keeps(no_file_knows_one_machine);
    let bad = format!("cd /{}/someone/x\n", "home");
    bites(no_file_knows_one_machine, "README.md", &bad, "see https://example.org/home/x and docs/work/x\n");
}

#[test]
fn the_readme_lists_every_planted_bug_as_ci_runs_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (readme, runs) = (read("README.md"), read(".ci/planted-bugs"));
    for run in runs.lines() {
        let command = format!("`zabchaos test --bug {run}`");
        assert!(readme.contains(&command), "README's table \"What it catches\" lacks {command}");
    }
    let bugs = read("node/core/src/bug.rs");
    let planted: Vec<&str> = runs.lines().filter_map(|run| run.split(' ').next()).collect();
    let all = bugs.lines().filter_map(|line| line.split("=> \"").nth(1)?.split('"').next());
    for bug in all.filter(|bug| !bug.contains(' ')) {
        assert!(planted.contains(&bug), ".ci/planted-bugs does not plant {bug}");
    }
}
