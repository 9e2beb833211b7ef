//! Scripts: what is done to a world, and what the servers then said to each other and went through. A person
//! reads one as a story; played, it is a regression test.
//!
//! A script is text: comments (`# …`), blank lines, commands (`> …`), and behind each command the journal
//! that it causes. [`play`] gives the same text with the journal as it is now. There are two kinds:
//!
//! * **Hand-written**, in a world in which nothing takes time but what the protocol waits for. They begin with
//!   `> servers N`; [`command`] lists what they can say.
//! * **Recorded** runs, as the shrinker writes them: `> world key=value …` (on several lines, if need be), steps
//!   `> at 1234567us kill 3`, and `> end` for the rest of the run and its verdict; see [`recorded`].
//!
//! A script whose first line is `# expects: PROPERTY` shows how that property is broken; every other one must
//! keep every promise ([`Played::verdict`]).

mod command;
mod lines;
mod player;
mod recorded;
#[cfg(test)]
mod tests;

pub(crate) use lines::{Connections, Names, operation};

use crate::run::{Parameters, Step};
use crate::world::Entry;
use command::Command;
use player::Player;
use std::fmt;

/// How the first line of a script says which property is broken in it.
const EXPECTS: &str = "# expects: ";

/// A script that cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, in one sentence.
    pub what: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ScriptError {}

/// A script that was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// The script with its journal as it is now.
    pub text: String,
    /// The property that was broken, and what happened.
    pub broken: Option<(String, String)>,
    /// The property that the script says is broken.
    pub expects: Option<String>,
    /// Everything that happened, for a diagram.
    pub entries: Vec<Entry>,
    /// How many servers there are.
    pub servers: u16,
}

impl Played {
    /// Whether what was broken is what the script says.
    ///
    /// # Errors
    /// What is different, in one sentence.
    pub fn verdict(&self) -> Result<(), String> {
        match (&self.broken, &self.expects) {
            (None, None) => Ok(()),
            (Some((property, _)), Some(expected)) if property == expected => Ok(()),
            (Some((property, what)), None) => Err(format!("{property} was broken: {what}")),
            (None, Some(expected)) => Err(format!("{expected} was to be broken and was kept")),
            (Some((property, what)), Some(expected)) => {
                Err(format!("{expected} was to be broken, {property} was: {what}"))
            }
        }
    }
}

/// Plays a script and gives its text with the journal as it is now.
///
/// # Errors
/// The first line that cannot be read or done.
pub fn play(text: &str) -> Result<String, ScriptError> {
    perform(text).map(|played| played.text)
}

/// Plays a script.
///
/// # Errors
/// The first line that cannot be read or done.
pub fn perform(text: &str) -> Result<Played, ScriptError> {
    let script = Script::parse(text);
    let Performance { journals, broken, entries, servers } =
        match script.blocks.first().map(|block| block.command) {
            Some(command) if recorded::is_world(command) => recorded::play(&script.blocks)?,
            _ => play_by_hand(&script.blocks)?,
        };
    let expects = text.lines().next().and_then(|line| line.strip_prefix(EXPECTS));
    let expects = expects.map(|name| name.trim().to_owned());
    Ok(Played { text: script.with(&journals), broken, expects, entries, servers })
}

/// Writes a run as a script, with its journal and with a comment (of any number of lines) at the top.
///
/// # Panics
/// Never: what is written here can be read.
#[must_use]
pub fn write(parameters: &Parameters, steps: &[Step], header_comment: &str) -> String {
    let mut text = String::new();
    for line in header_comment.lines() {
        text += format!("# {line}").trim_end();
        text.push('\n');
    }
    text += &recorded::write(parameters, steps);
    let played = perform(&text).expect("what was written can be read");
    match played.broken {
        Some((property, _)) => format!("{EXPECTS}{property}\n{}", played.text),
        None => played.text,
    }
}

/// What comes of playing.
#[derive(Default)]
struct Performance {
    /// Behind each command.
    journals: Vec<String>,
    broken: Option<(String, String)>,
    entries: Vec<Entry>,
    servers: u16,
}

fn play_by_hand(blocks: &[Block<'_>]) -> Result<Performance, ScriptError> {
    let mut player: Option<Player> = None;
    let mut journals = Vec::new();
    for block in blocks {
        let wrong = |what| ScriptError { line: block.line, what };
        match (block.command.parse().map_err(wrong)?, &mut player) {
            (Command::Servers(settings), player @ None) => {
                *player = Some(Player::new(*settings));
                journals.push(String::new());
            }
            (_, None) => return Err(wrong("a script begins with '> servers N' or '> world …'".to_owned())),
            (command, Some(player)) => journals.push(player.perform(&command).map_err(wrong)?),
        }
    }
    let Some(player) = player else { return Ok(Performance::default()) };
    let (broken, servers) = (player.broken(), player.servers());
    Ok(Performance { journals, broken, entries: player.into_entries(), servers })
}

/// A command, and the comments and blank lines before it.
struct Block<'a> {
    before: Vec<&'a str>,
    command: &'a str,
    /// Counted from 1.
    line: usize,
}

/// A script without its journal.
struct Script<'a> {
    blocks: Vec<Block<'a>>,
    behind: Vec<&'a str>,
}

impl<'a> Script<'a> {
    fn parse(text: &'a str) -> Self {
        let mut script = Self { blocks: Vec::new(), behind: Vec::new() };
        for (at, line) in text.lines().enumerate() {
            if let Some(command) = line.strip_prefix("> ") {
                let before = std::mem::take(&mut script.behind);
                script.blocks.push(Block { before, command: command.trim(), line: at + 1 });
            } else if line.starts_with('#') || line.trim().is_empty() {
                script.behind.push(line);
            }
        }
        script
    }

    /// The text with these journals.
    fn with(&self, journals: &[String]) -> String {
        let mut text = String::new();
        let mut push = |line: &str| {
            text += line;
            text.push('\n');
        };
        for (block, journal) in self.blocks.iter().zip(journals) {
            block.before.iter().for_each(|line| push(line));
            push(&format!("> {}", block.command));
            journal.lines().for_each(&mut push);
        }
        self.behind.iter().for_each(|line| push(line));
        text
    }
}
