//! The command line as it was typed: names and text, unjudged. `plan.rs` makes sense of it.
//!
//! Values stay text here on purpose: then every bad one is refused by one place, in one sentence.

use crate::report::format::wrap;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use zab_sim::explore::Scenario;

const EXIT_STATUSES: &str = "\
Exit status:
  0    valid: every promise that was checked was kept
  1    invalid: a promise was broken; the report explains how
  2    unknown: nothing was proven (nothing exercised, interrupted, a bound reached); see the report
  254  usage: what was asked makes no sense; one sentence says why
  255  harness failure: the tool could not do its work";

const EXAMPLES: &str = "\
Examples:
  zabchaos test                                      five nodes, no faults, 30 s
  zabchaos test --nemesis partition                  cut the network again and again
  zabchaos test --nemesis partition,pause,kill --time-limit 60s
  zabchaos test --nemesis pause --targets leader     the leader that comes back from the dead
  zabchaos test --nemesis partition --partition majorities-ring,bridge
  zabchaos test --nemesis kill --test-count 20       twenty runs; the worst one counts
  zabchaos test --bug commit-without-quorum --nemesis partition
                                                     plant a bug and see it caught";

/// A Jepsen-style chaos tester: real processes, real faults, proven verdicts.
#[derive(Debug, Parser)]
#[command(
    name = "zabchaos",
    version,
    arg_required_else_help = true,
    after_help = format!(
        "Start here:\n  zabchaos test --nodes 5 --nemesis partition\n  zabchaos simulate --nodes 5 --nemesis partition\n\n{EXIT_STATUSES}"
    )
)]
pub(crate) struct Cli {
    /// Print without colours (so does the environment variable NO_COLOR)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads the words.
    pub(crate) fn read(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(words)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if let (Command::Simulate(args), Some((_, matches))) = (&mut cli.command, matches.subcommand()) {
            args.typed = typed(matches);
        }
        Ok(cli)
    }
}

/// The options that stand on the command line, as they are typed.
fn typed(matches: &ArgMatches) -> Vec<String> {
    // Groups are no options; every flattened struct is one.
    let options = matches.ids().map(clap::Id::as_str).filter(|id| id.starts_with(|c: char| c.is_lowercase()));
    let typed = options.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
    typed.map(|id| format!("--{}", id.replace('_', "-"))).collect()
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a cluster, hurt it, and judge what its clients saw
    #[command(
        before_help = "Starts a cluster of real processes on this machine, drives clients, injects faults, heals, \
        and judges the recorded history.\n\nNeeds no root, no container, no other program. Nothing is \
        left running, however it ends."
    )]
    Test(Box<TestArgs>),
    /// The same on virtual nodes, without processes; a swarm of drawn worlds; or small worlds in every order
    #[command(
        before_help = "Runs the nodes' protocol in a deterministic world: virtual time, network and disks, all from \
        the seed. Many times faster than real time, and every run can be repeated. Or explores small worlds in \
        every order in which things may happen."
    )]
    Simulate(Box<SimulateArgs>),
    /// Judge recorded histories: of stored runs, or of any tool
    #[command(
        before_help = "Judges recorded histories: of stored runs, or files of this and other tools.\n\nEvery verdict \
        comes with its proof: valid with an order that explains every result, invalid with the few operations that \
        contradict each other. A history that ends in the middle (the tool was killed) is judged as far as it goes."
    )]
    Check(CheckArgs),
    /// Check the proof of a verdict, with code that shares nothing with what made it
    #[command(
        before_help = "Checks a certificate that 'zabchaos check --certificate' wrote against its history, with some fifty \
        lines of code that share nothing with the checker."
    )]
    VerifyCertificate(VerifyArgs),
    /// Write a history in another format
    Convert(ConvertArgs),
    /// Run a stored run's plan and fault schedule again
    #[command(
        before_help = "Runs a stored run's plan again, with the same faults against the same nodes at the same times, \
        in a new folder.\n\nReal processes interleave anew each time: the faults are the same, the \
        outcome may not be. A simulated run is the same to the last byte."
    )]
    Replay(ReplayArgs),
    /// List the stored runs and their verdicts
    List(ListArgs),
    /// Run one node by hand, from a zoo.cfg
    #[command(
        before_help = "Runs one node until it is stopped. It speaks ZooKeeper's protocols: stock ZooKeeper clients \
        work with it."
    )]
    Node(NodeArgs),
}

const TARGETS: &str = "\
Targets (--targets): whom pauses and kills hit, and around whom partitions are drawn:
  one        a random node
  minority   a random minority
  majority   a random majority (pause and kill only)
  leader     whoever leads at that moment
  followers  all but the leader
  all        every node (pause and kill only)
  n1,n3      these nodes";

const SHAPES: &str = "\
Shapes of partitions (--partition):
  one                one node, a target, against the rest
  halves             two halves, a target in the smaller
  majority-minority  a minority with a target, or the targets if they are one, against the rest
  one-way            what a target sends is lost, or what it is sent
  leader-alone       the leader against the rest; ignores --targets
  majorities-ring    every node sees a majority, no two the same; ignores --targets
  bridge             two halves and one node that sees both; ignores --targets";

/// The bugs with what each does.
fn bugs() -> String {
    let lines = crate::commands::bugs().map(|(name, what)| format!("\n  {name:<21}  {what}"));
    lines.fold("Bugs that can be planted (--bug):".to_owned(), |text, line| text + &line)
}

/// `zabchaos test`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = format!("{EXAMPLES}\n\n{TARGETS}\n\n{SHAPES}\n\n{}\n\n{EXIT_STATUSES}\n\n\
        Durations carry a unit: 500ms, 30s, 2m. Lists are separated by commas.\n\
        Results: results/latest is the newest run; docs/RESULTS.md explains every file.", bugs()),
)]
pub(crate) struct TestArgs {
    /// What is planned.
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// First of the ports to use, three a node in a row; without it, free ports are found
    #[arg(long, value_name = "PORT", help_heading = "Cluster")]
    pub(crate) base_port: Option<String>,
}

/// What a run is planned with, on real processes and on virtual ones.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// How many nodes to start (1 to 15)
    #[arg(long, value_name = "N", default_value = "5", help_heading = "Cluster")]
    pub(crate) nodes: String,
    /// The nodes' tickTime, ZooKeeper's unit of time-outs
    #[arg(long, value_name = "DURATION", default_value = "200ms", help_heading = "Cluster")]
    pub(crate) tick_time: String,
    /// Ticks a node has to find and follow a leader
    #[arg(long, value_name = "TICKS", default_value = "10", help_heading = "Cluster")]
    pub(crate) init_limit: String,
    /// Ticks of silence after which leader and follower give each other up
    #[arg(long, value_name = "TICKS", default_value = "5", help_heading = "Cluster")]
    pub(crate) sync_limit: String,
    /// Transactions between two snapshots of a node
    #[arg(long, value_name = "N", default_value = "10000", help_heading = "Cluster")]
    pub(crate) snap_count: String,
    /// Plant a deliberate bug into every node, to see it caught (listed below)
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub(crate) bug: Option<String>,

    /// What the clients do and what they expect [register]
    #[arg(long, value_name = "NAME", default_value = "register", help_heading = "Load")]
    pub(crate) workload: String,
    /// How long clients work and faults happen
    #[arg(long, value_name = "DURATION", default_value = "30s", help_heading = "Load")]
    pub(crate) time_limit: String,
    /// Operations per second over all clients; 0 is as many as go
    #[arg(long, value_name = "OPS", default_value = "1000", help_heading = "Load")]
    pub(crate) rate: String,
    /// How many clients: a number, or 2n for two a node
    #[arg(long, value_name = "N", default_value = "10", help_heading = "Load")]
    pub(crate) concurrency: String,
    /// How many keys are in use at a time
    #[arg(long, value_name = "N", default_value = "10", help_heading = "Load")]
    pub(crate) keys: String,
    /// Operations after which a key is retired, on average
    #[arg(long, value_name = "N", default_value = "200", help_heading = "Load")]
    pub(crate) ops_per_key: String,
    /// How long a client waits for an answer; a write without answer is unknown for ever
    #[arg(long, value_name = "DURATION", default_value = "5s", help_heading = "Load")]
    pub(crate) op_timeout: String,

    /// Families of faults: none, or any of partition, pause, kill
    #[arg(long, value_name = "LIST", default_value = "none", help_heading = "Faults")]
    pub(crate) nemesis: String,
    /// Mean time from the start of a fault to the start of the next
    #[arg(long, value_name = "DURATION", default_value = "3s", help_heading = "Faults")]
    pub(crate) nemesis_interval: String,
    /// Whom faults hit: one, minority, majority, leader, followers, all, or nodes such as n1,n3
    /// (explained below); without it, drawn anew for every fault
    #[arg(long, value_name = "LIST", help_heading = "Faults")]
    pub(crate) targets: Option<String>,
    /// Shapes of partitions: one, halves, majority-minority, leader-alone, majorities-ring, bridge,
    /// one-way (explained below); without it, drawn anew for every partition
    #[arg(long, value_name = "LIST", help_heading = "Faults")]
    pub(crate) partition: Option<String>,

    /// Every random choice derives from it; without it, one is drawn and printed
    #[arg(long, value_name = "NUMBER", help_heading = "Run")]
    pub(crate) seed: Option<String>,
    /// How many runs, each with a seed derived from --seed
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Run")]
    pub(crate) test_count: String,
    /// Folder that holds the runs
    #[arg(long, value_name = "DIR", default_value = crate::plan::RESULTS, help_heading = "Run")]
    pub(crate) results: PathBuf,
    /// Print the results as one JSON document instead of the report; those of several runs as an array
    #[arg(long, help_heading = "Run")]
    pub(crate) json: bool,
}

const SIMULATE_EXAMPLES: &str = "\
Three ways to use it, told apart by what is typed:
  One planned run, as soon as any option under Cluster, Load, Faults or Run is given, save
  --seed, --bug and --json: the same plan, faults, workload, history, checks and report as
  zabchaos test, stored under results/. The same seed gives the same run, byte for byte.
  Drawn worlds (a swarm) otherwise: each seed draws a small cluster, its speeds, its clients
  and the faults that exist in it; the protocol's properties are checked after every step,
  and a bounded recovery in the end. A broken world is made short and stored as a script.
  Small worlds in every order, with --explore: no chance, but every way on from where three
  servers begin, a move at a time: a message arrives, a disk is done, a deadline comes, a
  server is killed, the network splits. What is broken comes with the shortest list of moves.
  Valid means: nothing is broken within the bounds; it says whether states are left beyond.
  Ctrl-C ends it some thousand states later, and what was explored until then is told.

Examples:
  zabchaos simulate --nemesis partition,pause,kill   one planned run of 30 virtual seconds
  zabchaos simulate --nodes 7 --nemesis kill --time-limit 10m --seed 7
  zabchaos simulate --nemesis pause --test-count 20  twenty planned runs; the worst one counts
  zabchaos simulate                                  a hundred drawn worlds, seeds 1 to 100
  zabchaos simulate --seeds 10000 --from 5000        ten thousand
  zabchaos simulate --seed 17                        the world of seed 17 alone, with all it drew
  zabchaos simulate --seed 17 --trace                …and who told whom what in it
  zabchaos simulate --script results/seed-17.txt     play a broken run that was made short
  zabchaos simulate --seeds 8000 --coverage          which transitions of the protocol that reaches
  zabchaos simulate --seeds 1000 --bug elect-any     plant a bug and see it caught
  zabchaos simulate --explore all                    every scenario, a few moves deep: seconds
  zabchaos simulate --explore leader-change --deep   eight moves deep: up to a minute, and two gigabytes
  zabchaos simulate --explore returning --bug skip-truncate
                    --bounds depth=20,crashes=0,partitions=0,timeouts=0
                                                     the shortest way to what a bug breaks";

/// The scenarios with what each is about.
fn scenarios() -> String {
    let about = |scenario: &Scenario| wrap(scenario.about, 75).join("\n                 ");
    let lines =
        Scenario::ALL.iter().map(|scenario| format!("\n  {:<13}  {}", scenario.name, about(scenario)));
    let text = "Scenarios (--explore): where three servers begin:".to_owned();
    lines.fold(text, |text, line| text + &line) + "\n  all            each of them"
}

const BOUNDS: &str = "\
Bounds (--bounds): how far exploring goes from there. Those that are not named are the
scenario's own, quick ones or with --deep. States multiply: some 20 KB each while it waits.
  depth       moves at most
  crashes     kills at most
  partitions  splits of the network at most
  timeouts    deadlines at most for which a clock has to move
  writes      writes of clients at most, beyond those of the scenario";

/// `zabchaos simulate`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = format!("{SIMULATE_EXAMPLES}\n\n{}\n\n{BOUNDS}\n\n{TARGETS}\n\n{SHAPES}\n\n{}\n\n{EXIT_STATUSES}\n\n\
        Durations carry a unit and are virtual: 500ms, 30s, 2m. Lists are separated by commas.", scenarios(), bugs()),
)]
pub(crate) struct SimulateArgs {
    /// What is planned, if something is.
    #[command(flatten)]
    pub(crate) plan: PlanArgs,

    /// How many worlds to draw, each from a seed of its own [default: 100]
    #[arg(long, value_name = "N", help_heading = "Drawn worlds")]
    pub(crate) seeds: Option<String>,
    /// The first of their seeds [default: 1]
    #[arg(long, value_name = "NUMBER", help_heading = "Drawn worlds")]
    pub(crate) from: Option<String>,
    /// How many worlds go on at a time, or on how many threads to explore; changes nothing but the time it
    /// takes [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Drawn worlds")]
    pub(crate) threads: Option<String>,
    /// Go on behind the first broken world
    #[arg(long, help_heading = "Drawn worlds")]
    pub(crate) keep_going: bool,
    /// Draw who told whom what (with --seed or --script)
    #[arg(long, help_heading = "Drawn worlds")]
    pub(crate) trace: bool,
    /// Make the broken run at which it stops short: leave out every step that it stays broken without
    /// (the default, but for --keep-going and --json)
    #[arg(long, overrides_with = "no_shrink", help_heading = "Drawn worlds")]
    pub(crate) shrink: bool,
    /// Leave a broken run as it is
    #[arg(long, overrides_with = "shrink", help_heading = "Drawn worlds")]
    pub(crate) no_shrink: bool,
    /// Tell which transitions of the protocol were reached, and which were not
    #[arg(long, help_heading = "Drawn worlds")]
    pub(crate) coverage: bool,
    /// Play a script of steps, such as a shrunk run left
    #[arg(long, value_name = "FILE", help_heading = "Drawn worlds")]
    pub(crate) script: Option<PathBuf>,

    /// Explore this scenario in every order: established, leader-change, cold-start, returning, or all
    /// (explained below)
    #[arg(long, value_name = "NAME", help_heading = "Small worlds in every order")]
    pub(crate) explore: Option<String>,
    /// Within the deep bounds of the scenario and not the quick ones
    #[arg(long, help_heading = "Small worlds in every order")]
    pub(crate) deep: bool,
    /// Within other bounds, such as depth=8,crashes=2 (explained below)
    #[arg(long, value_name = "LIST", help_heading = "Small worlds in every order")]
    pub(crate) bounds: Option<String>,

    /// The options that were typed, in no order: defaults do not tell which way is meant.
    #[arg(skip)]
    pub(crate) typed: Vec<String>,
}

const MODELS: &str = "\
Models (--model), each one object a key; without the option, what the operations imply:
  register      read, write                          initially null
  cas-register  and cas [old,new]                    initially null
  kv            get, put, append on strings          initially \"\"
  counter       add (inc, dec) of numbers, read      initially 0
  list          append, read of the whole list       initially []
  set           add, remove, read of the whole set   initially []
  element-set   add, remove, contains                initially nothing is in it
  queue         enqueue, dequeue; null: it is empty  initially empty
  lock          acquire, release                     initially free";

const PROMISES: &str = "\
Promises (--promise):
  lin       linearizable: every operation takes effect at one moment between call and return
  sync-lin  ZooKeeper after a sync: updates are linearizable, and so are reads behind a sync
            of their session
  osc       ZooKeeper without one: updates are linearizable, and each session sees their order
            without going back; a stale read is counted, and allowed
  session   each session goes forward and sees its own updates
All but lin are about registers, and need the server's stamps (zxids, revisions).";

const FORMATS: &str = "\
Formats (--format, --from, --to); without the option, what the content tells:
  jsonl       history.jsonl, one JSON object a line, as runs are recorded
  columns     the same in binary columns: small, and read in no time
  edn         Jepsen's history.edn, Knossos' and Porcupine's files: maps of :process :type :f :value
  jepsen-log  lines of a Jepsen log: INFO  jepsen.util - PROCESS :TYPE :F VALUE
  elle        Elle's list-append transactions in EDN, of one operation each
  tsv         one operation a line: process key op a b call ret status out rev";

/// `zabchaos check`.
#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    after_help = format!("Examples:\n  zabchaos check results/latest\n  zabchaos check history.jsonl --json\n  \
        zabchaos check store/*/latest/history.edn\n  zabchaos check history.edn --certificate proof.json\n  \
        zabchaos verify-certificate history.edn proof.json\n\n{MODELS}\n\n{PROMISES}\n\n{FORMATS}\n\n{EXIT_STATUSES}"),
)]
pub(crate) struct CheckArgs {
    /// Runs' folders, or history files in any of the formats below
    #[arg(value_name = "RUN|FILE", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// What the history is judged by (listed below)
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// What is promised (explained below)
    #[arg(long, value_name = "NAME", default_value = "lin")]
    pub(crate) promise: String,
    /// The format of the files (listed below)
    #[arg(long, value_name = "NAME")]
    pub(crate) format: Option<String>,
    /// In EDN, every value is [key value], though not tagged as such
    #[arg(long)]
    pub(crate) independent: bool,
    /// What may decide: auto (whatever is fastest), monitor (near-linear, of some types), engine (a search, of
    /// all), stamps (the server's order replayed; proves valid only)
    #[arg(long, value_name = "NAME", help_heading = "How")]
    pub(crate) method: Option<String>,
    /// Give up after that, and say unknown
    #[arg(long, value_name = "DURATION", default_value = "60s", help_heading = "How")]
    pub(crate) time_limit: String,
    /// What the search may hold in memory
    #[arg(long, value_name = "SIZE", default_value = "2GiB", help_heading = "How")]
    pub(crate) memory: String,
    /// On how many threads [default: one a core]
    #[arg(long, value_name = "N", help_heading = "How")]
    pub(crate) threads: Option<String>,
    /// How many violations to explain, of as many keys
    #[arg(long, value_name = "N", default_value = "3", help_heading = "Output")]
    pub(crate) counterexamples: String,
    /// Write the proof to this file: an order of all operations, or a contradiction
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) certificate: Option<PathBuf>,
    /// Print the verdict as JSON; those of several files as an array
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// `zabchaos convert`.
#[derive(Debug, Args)]
#[command(
    after_help = format!("Examples:\n  zabchaos convert history.edn history.jsonl\n  \
        zabchaos convert results/latest history.columns\n  zabchaos convert history.jsonl - --to edn\n\n{FORMATS}\n\n\
        The format to write is that of --to, or what the file's ending says (.jsonl, .columns, .edn, .log, .tsv)."),
)]
pub(crate) struct ConvertArgs {
    /// A run's folder, or a history file
    #[arg(value_name = "RUN|FILE")]
    pub(crate) from_path: PathBuf,
    /// The file to write, which must not exist; - is standard output
    #[arg(value_name = "FILE")]
    pub(crate) to_path: PathBuf,
    /// The format to read
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,
    /// The format to write
    #[arg(long, value_name = "NAME")]
    pub(crate) to: Option<String>,
    /// In EDN that is read, every value is [key value], though not tagged as such
    #[arg(long)]
    pub(crate) independent: bool,
    /// Write the file even if it exists
    #[arg(long)]
    pub(crate) force: bool,
}

/// `zabchaos verify-certificate`.
#[derive(Debug, Args)]
#[command(after_help = "Exit status:\n  0    the certificate proves what it says, valid or invalid\n  \
        1    it does not; one sentence says what is wrong\n  \
        254  usage: what was asked makes no sense\n  255  harness failure")]
pub(crate) struct VerifyArgs {
    /// A run's folder, or the history file that was checked
    #[arg(value_name = "RUN|FILE")]
    pub(crate) history: PathBuf,
    /// What check --certificate wrote
    #[arg(value_name = "CERTIFICATE")]
    pub(crate) certificate: PathBuf,
    /// The format of the history
    #[arg(long, value_name = "NAME")]
    pub(crate) format: Option<String>,
    /// In EDN, every value is [key value], though not tagged as such
    #[arg(long)]
    pub(crate) independent: bool,
}

/// `zabchaos replay`.
#[derive(Debug, Args)]
#[command(
    after_help = EXIT_STATUSES,
)]
pub(crate) struct ReplayArgs {
    /// The run's folder
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Folder that holds the runs; without it, the one the run is in
    #[arg(long, value_name = "DIR")]
    pub(crate) results: Option<PathBuf>,
    /// Print the results as one JSON document instead of the report
    #[arg(long)]
    pub(crate) json: bool,
}

/// `zabchaos list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Folder that holds the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `zabchaos node`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example of a zoo.cfg (three of them, with the dataDir and clientPort of each; the file myid in \
                  dataDir holds the node's number):\n  tickTime=2000\n  initLimit=10\n  syncLimit=5\n  \
                  dataDir=/tmp/zk1\n  clientPort=2181\n  server.1=127.0.0.1:2881:3881\n  \
                  server.2=127.0.0.1:2882:3882\n  server.3=127.0.0.1:2883:3883"
)]
pub(crate) struct NodeArgs {
    /// The node's zoo.cfg
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Append the protocol's transitions to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Plant a deliberate bug
    #[arg(long, value_name = "NAME")]
    pub(crate) bug: Option<String>,
    /// End when the process with this id ends
    #[arg(long, value_name = "PID")]
    pub(crate) die_with_parent: Option<u32>,
}
