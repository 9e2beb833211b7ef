//! What a hand-written script can say.
//!
//! * `servers 3`, `servers 3 observers 1`, `servers 3 commit_log_count=1 bug=…`: a new world; the words are
//!   those of [`crate::run::Parameters`]. Observers are numbered behind the voters.
//! * `start 1 2 3`, and every [`Action`] as it is written: `kill 3`, `pause 2`, `cut 1 -> 2`, `hold-disk 1`, …;
//!   `cut 3 | 1 2` cuts two groups off from each other.
//! * `run MS`: time passes. `settle`: what is due now happens, no time passes.
//! * `until 1 learner.sync_received mode=SNAP`: the world goes on until just after server 1 reaches this.
//! * `until-message 3 -> 1 COMMIT`, `before-message 3 -> 1 COMMIT`: until just after, or just before, such a
//!   message arrives; the words are the beginning of its line in the journal.
//! * `disk 1`: what a power failure would leave on a disk.
//! * `open a 1`, `open b 2 session a`: a client connects, with a new session or that of another.
//!   `close a`: it closes its connection.
//! * `create a /x 1`, `set a /x 2`: it asks and waits for nothing; `answers a` tells what came.
//!   `read a /x` (sync, then getData) and `get a /x` (getData) wait for their answers.
//! * `pings on`, `votes on`, and `… off`: the journal shows them or does not. `journal off`, `journal on`: it
//!   says nothing for a while, where the story has not begun.

use crate::run::Parameters;
use crate::world::{Action, Settings, Site};
use std::str::FromStr;

/// A command of a hand-written script. Servers are numbered from 0 here and from 1 in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Servers(Box<Settings>),
    Act(Vec<Action>),
    Run { ms: u64 },
    Settle,
    Until { server: u16, words: Vec<String> },
    UntilMessage { from: u16, to: u16, words: String },
    BeforeMessage { from: u16, to: u16, words: String },
    Disk(u16),
    Open { client: String, server: u16, session_of: Option<String> },
    Close(String),
    Create { client: String, path: String, data: String },
    Set { client: String, path: String, data: String },
    Read { client: String, path: String },
    Get { client: String, path: String },
    Answers(String),
    ShowPings(bool),
    ShowVotes(bool),
    ShowJournal(bool),
}

impl FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let own = |word: &str| word.to_owned();
        Ok(match *words.as_slice() {
            ["servers", ref words @ ..] => Self::Servers(Box::new(settings(words)?)),
            ["start", ref servers @ ..] if servers.len() > 1 => {
                Self::Act(numbers(servers)?.into_iter().map(Action::Start).collect())
            }
            ["cut", ref groups @ ..] if groups.contains(&"|") => Self::Act(cut(groups)?),
            ["run", ms] => Self::Run { ms: ms.parse().map_err(|_no| format!("'{ms}' is no time in ms"))? },
            ["settle"] => Self::Settle,
            ["until", at, ref words @ ..] if !words.is_empty() => {
                Self::Until { server: number(at)?, words: words.iter().map(|word| own(word)).collect() }
            }
            ["until-message", from, "->", to, ref words @ ..] if !words.is_empty() => {
                Self::UntilMessage { from: number(from)?, to: number(to)?, words: words.join(" ") }
            }
            ["before-message", from, "->", to, ref words @ ..] if !words.is_empty() => {
                Self::BeforeMessage { from: number(from)?, to: number(to)?, words: words.join(" ") }
            }
            ["disk", at] => Self::Disk(number(at)?),
            ["open", client, at] => Self::Open { client: own(client), server: number(at)?, session_of: None },
            ["open", client, at, "session", of] => {
                Self::Open { client: own(client), server: number(at)?, session_of: Some(own(of)) }
            }
            ["close", client] => Self::Close(own(client)),
            ["create", client, path, data] => {
                Self::Create { client: own(client), path: own(path), data: own(data) }
            }
            ["set", client, path, data] => {
                Self::Set { client: own(client), path: own(path), data: own(data) }
            }
            ["read", client, path] => Self::Read { client: own(client), path: own(path) },
            ["get", client, path] => Self::Get { client: own(client), path: own(path) },
            ["answers", client] => Self::Answers(own(client)),
            ["pings", switch @ ("on" | "off")] => Self::ShowPings(switch == "on"),
            ["journal", switch @ ("on" | "off")] => Self::ShowJournal(switch == "on"),
            ["votes", switch @ ("on" | "off")] => Self::ShowVotes(switch == "on"),
            _ => Self::Act(vec![line.parse().map_err(|_none| format!("unknown command '{line}'"))?]),
        })
    }
}

fn number(word: &str) -> Result<u16, String> {
    let number = word.parse::<u16>().ok().and_then(|number| number.checked_sub(1));
    number.ok_or_else(|| format!("'{word}' is no number of a server"))
}

fn numbers(words: &[&str]) -> Result<Vec<u16>, String> {
    words.iter().map(|word| number(word)).collect()
}

fn settings(words: &[&str]) -> Result<Settings, String> {
    let mut parameters = Parameters::draw(0);
    parameters.world = Settings::instant(1);
    match *words {
        [voters, "observers", observers, ref rest @ ..] => {
            parameters.set(&format!("voters={voters}"))?;
            parameters.set(&format!("observers={observers}"))?;
            rest.iter().try_for_each(|word| parameters.set(word))?;
        }
        [voters, ref rest @ ..] => {
            parameters.set(&format!("voters={voters}"))?;
            rest.iter().try_for_each(|word| parameters.set(word))?;
        }
        [] => return Err("'servers' is followed by how many there are".to_owned()),
    }
    parameters.world.clients = 0;
    Ok(parameters.world)
}

/// `A… | B…`: nothing gets from one group to the other, nor back.
fn cut(groups: &[&str]) -> Result<Vec<Action>, String> {
    let middle = groups.iter().position(|word| *word == "|").ok_or("two groups are cut with '|'")?;
    let (one, other) = (numbers(&groups[..middle])?, numbers(&groups[middle + 1..])?);
    let pairs = one.iter().flat_map(|a| other.iter().map(|b| (Site(*a), Site(*b))));
    Ok(pairs.flat_map(|(a, b)| [Action::Cut(a, b), Action::Cut(b, a)]).collect())
}

/// The server that an action is done to, if it is done to one and not to the network.
pub(super) fn server_of(action: Action) -> Option<u16> {
    match action {
        Action::Start(at)
        | Action::Kill(at, _)
        | Action::KillAfter(at, _)
        | Action::PowerOff(at, _, _)
        | Action::Pause(at)
        | Action::Resume(at)
        | Action::HoldDisk(at)
        | Action::ReleaseDisk(at)
        | Action::StepDisk(at)
        | Action::SlowDisk(at, _)
        | Action::FailDisk(at)
        | Action::FillDisk(at)
        | Action::FreeDisk(at)
        | Action::FlipBit(at, _)
        | Action::Wipe(at)
        | Action::JumpClock(at, _) => Some(at),
        Action::Cut(..)
        | Action::HealLink(..)
        | Action::Heal
        | Action::Reset(..)
        | Action::HalfOpen(..)
        | Action::Stall(..)
        | Action::Lose(_) => None,
    }
}
