//! A message diagram in text: a lifeline for each server, time downwards, an arrow for each message when it
//! arrives; transitions beside their server, what was done to the world across all of them.

use crate::script::{Connections, Names, operation};
use crate::world::{Action, Entry, Record, describe};
use std::mem;
use zab_core::Trace;
use zab_wire::Zxid;
use zab_wire::quorum::QuorumMessage;

/// Where the first lifeline is; the time stands before it.
const FIRST: usize = 12;
/// Lifelines are no farther from each other than a message with its zxid needs.
const SPACING_MAX: usize = 26;
/// … and no nearer than its name needs.
const SPACING_MIN: usize = 10;
/// The servers' names are repeated after so many rows.
const ROWS_PER_PAGE: usize = 50;

/// How a diagram is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Characters in a row, at most; more when there are many servers.
    pub width: usize,
    /// Each vote has its arrow; else they are counted.
    pub votes: bool,
    /// Each ping has its arrow; else they are counted.
    pub pings: bool,
    /// What clients ask and are answered stands beside their servers. So many of the clients are workers, the
    /// rest are session clients.
    pub clients: Option<u16>,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 120, votes: false, pings: false, clients: None }
    }
}

/// Draws what happened among so many servers.
#[must_use]
pub fn draw(entries: &[Entry], servers: u16, options: Options) -> String {
    let mut diagram = Diagram::new(servers, options);
    entries.iter().for_each(|entry| diagram.add(entry));
    diagram.tell_counted();
    diagram.out
}

/// How a server's lifeline looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Dead,
    Running,
    Paused,
}

struct Diagram {
    options: Options,
    names: Names,
    connections: Connections,
    spacing: usize,
    lives: Vec<Life>,
    votes: u64,
    pings: u64,
    /// The time of the entry at hand, and of the last row, tenths of a millisecond.
    now: u64,
    last: Option<u64>,
    rows: usize,
    out: String,
}

impl Diagram {
    fn new(servers: u16, options: Options) -> Self {
        // Many servers take more room, whatever is asked for.
        let least = FIRST + usize::from(servers.max(2)) * SPACING_MIN;
        let options = Options { width: options.width.max(least), ..options };
        let room = options.width.saturating_sub(FIRST) / usize::from(servers.max(1));
        Self {
            options,
            names: Names { servers, workers: options.clients.unwrap_or(0) },
            connections: Connections::default(),
            spacing: room.clamp(SPACING_MIN, SPACING_MAX),
            lives: vec![Life::Dead; usize::from(servers)],
            votes: 0,
            pings: 0,
            now: 0,
            last: None,
            rows: 0,
            out: String::new(),
        }
    }

    fn add(&mut self, entry: &Entry) {
        let is_vote = matches!(entry.record, Record::Vote(..));
        let is_ping = matches!(entry.record, Record::Message(_, _, QuorumMessage::Ping { .. }));
        if is_vote && !self.options.votes {
            self.votes += 1;
        } else if is_ping && !self.options.pings {
            self.pings += 1;
        } else {
            self.add_row(entry);
        }
    }

    fn add_row(&mut self, entry: &Entry) {
        let is_shown = match entry.record {
            Record::Connects(client, server, _) => {
                self.connections.connects(client, server);
                self.options.clients.is_some() && !self.names.is_worker(client)
            }
            Record::Lost(client) => self.options.clients.is_some() && !self.names.is_worker(client),
            Record::Request(..) | Record::Frame(..) => self.options.clients.is_some(),
            Record::Started(at, _) => {
                self.lives[usize::from(at)] = Life::Running;
                false
            }
            Record::Closes(_) => false,
            Record::Action(_)
            | Record::Refused(..)
            | Record::Ended(..)
            | Record::Fatal(..)
            | Record::DiskFailed(..)
            | Record::Trace(..)
            | Record::Message(..)
            | Record::Vote(..)
            | Record::Violated(_) => true,
        };
        if !is_shown {
            return;
        }
        self.tell_counted();
        self.now = entry.at_us / 100;
        match &entry.record {
            Record::Action(action) => self.act(*action),
            Record::Started(..) | Record::Closes(_) => {}
            Record::Refused(at, why) => self.beside(*at, &format!("x refuses to start: {why}")),
            Record::Ended(at, _) => {
                self.lives[usize::from(*at)] = Life::Dead;
                self.beside(*at, "x dead");
            }
            Record::Fatal(at, why) => self.beside(*at, &format!("x ends itself: {why}")),
            Record::DiskFailed(at, why) => self.beside(*at, &format!("x {why}")),
            Record::Trace(at, Trace::State { state, reason }) => {
                self.beside(*at, &format!("= {}: {reason}", state.name()));
            }
            Record::Trace(at, trace) => self.beside(*at, &format!("* {trace}")),
            Record::Message(from, to, message) => self.arrow(*from, *to, &describe(message)),
            Record::Vote(from, to, vote) => self.arrow(*from, *to, &format!("vote {}", vote.leader.0)),
            Record::Violated(broken) => self.across(&format!("BROKEN {}: {}", broken.property, broken.what)),
            Record::Connects(client, ..) => self.of_client(*client, "< connect"),
            Record::Request(client, header) => {
                self.of_client(*client, &format!("< {} {}", operation(header.op), header.xid));
            }
            Record::Frame(client, frame) => {
                let said = self.connections.frame(*client, frame);
                self.of_client(*client, &format!("> {said}"));
            }
            Record::Lost(client) => self.of_client(*client, "> its connection broke"),
        }
    }

    fn act(&mut self, action: Action) {
        if let Action::Pause(at) = action {
            self.change(at, Life::Running, Life::Paused);
        }
        if let Action::Resume(at) = action {
            self.change(at, Life::Paused, Life::Running);
        }
        self.across(&action.to_string());
    }

    fn change(&mut self, at: u16, from: Life, to: Life) {
        let life = &mut self.lives[usize::from(at)];
        if *life == from {
            *life = to;
        }
    }

    // ---- rows

    /// What was not drawn is counted.
    fn tell_counted(&mut self) {
        let counted = [(mem::take(&mut self.votes), "vote"), (mem::take(&mut self.pings), "ping")];
        let told: Vec<String> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}{}", if *count == 1 { "" } else { "s" }))
            .collect();
        if !told.is_empty() {
            let mut row = self.lifelines();
            put(&mut row, FIRST + 2, &format!(" {} ", told.join(", ")));
            self.write(&row, false);
        }
    }

    /// An arrow with its label in the middle.
    fn arrow(&mut self, from: u16, to: u16, label: &str) {
        if from == to {
            return self.beside(from, label);
        }
        let (from, to) = (self.column(from), self.column(to));
        let (left, right) = (from.min(to) + 1, from.max(to));
        let mut row = self.lifelines();
        row[left..right].fill('─');
        if from < to {
            row[right - 1] = '>';
        } else {
            row[left] = '<';
        }
        // A line of one character at least, and the head of the arrow.
        let room = (right - left).saturating_sub(2);
        let label = match fitting(label, room) {
            cut if cut.ends_with('…') => fitting(label.split(' ').next().unwrap_or_default(), room),
            whole => whole,
        };
        let room = right - left - label.chars().count();
        put(&mut row, left + room.div_ceil(2), &label);
        self.write(&row, true);
    }

    /// A text beside a server's lifeline: on its right, or where there is more room.
    fn beside(&mut self, at: u16, text: &str) {
        let column = self.column(at);
        let (rooms, wanted) = ((column - FIRST, self.options.width - column), text.chars().count() + 2);
        let mut row = self.lifelines();
        if rooms.1 < wanted && rooms.0 > rooms.1 {
            // The mark stays next to its lifeline.
            let (mark, rest) = text.split_once(' ').unwrap_or(("", text));
            let text = format!("{} {mark}", fitting(rest, rooms.0.saturating_sub(5)));
            put(&mut row, column - 1 - text.chars().count(), &text);
        } else {
            put(&mut row, column + 2, &fitting(text, rooms.1 - 2));
        }
        self.write(&row, true);
    }

    fn of_client(&mut self, client: u16, text: &str) {
        if let Some(server) = self.connections.server(client) {
            let (mark, rest) = text.split_at(1);
            let name = self.names.of(client);
            self.beside(server, &format!("{mark} {name}{rest}"));
        }
    }

    /// A text across all lifelines, on as many rows as it takes.
    fn across(&mut self, text: &str) {
        let room = self.options.width - FIRST - 4;
        let mut line = String::new();
        let mut lines = Vec::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines.push(mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(line);
        for line in lines {
            let end = self.column(self.names.servers.saturating_sub(1)) + 2;
            let mut row = vec![' '; self.options.width];
            row[FIRST - 1..end.min(self.options.width)].fill('═');
            put(&mut row, FIRST + 1, &format!(" {line} "));
            self.write(&row, true);
        }
    }

    fn column(&self, server: u16) -> usize {
        FIRST + usize::from(server) * self.spacing
    }

    fn lifelines(&self) -> Vec<char> {
        let mut row = vec![' '; self.options.width];
        for (life, at) in self.lives.iter().zip(0..) {
            row[self.column(at)] = match life {
                Life::Dead => ' ',
                Life::Running => '│',
                Life::Paused => '┊',
            };
        }
        row
    }

    fn write(&mut self, row: &[char], is_timed: bool) {
        if self.rows.is_multiple_of(ROWS_PER_PAGE) {
            let mut names = vec![' '; row.len()];
            put(&mut names, FIRST - 4, "ms");
            for at in 0..self.names.servers {
                put(&mut names, self.column(at), &self.names.of(at));
            }
            self.push(&names);
        }
        self.rows += 1;
        let mut row = row.to_vec();
        if is_timed && self.last != Some(self.now) {
            self.last = Some(self.now);
            put(&mut row, 0, &format!("{:>8}.{}", self.now / 10, self.now % 10));
        }
        self.push(&row);
    }

    fn push(&mut self, row: &[char]) {
        let line: String = row.iter().collect();
        self.out += line.trim_end();
        self.out.push('\n');
    }
}

/// Writes over what is there.
fn put(row: &mut [char], at: usize, text: &str) {
    for (place, letter) in row.iter_mut().skip(at).zip(text.chars()) {
        *place = letter;
    }
}

/// A text that fits: with short zxids (`0x100000002` as `1.2`) if it must be, and cut off at last.
fn fitting(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let words: Vec<String> = text.split(' ').map(short_zxid).collect();
    let short = words.join(" ");
    if short.chars().count() <= room {
        return short;
    }
    let cut: String = short.chars().take(room.saturating_sub(1)).collect();
    if room == 0 { String::new() } else { cut + "…" }
}

fn short_zxid(word: &str) -> String {
    let (before, digits) = word.split_once("0x").unwrap_or((word, ""));
    match u64::from_str_radix(digits, 16).map(Zxid::from_bits) {
        Ok(zxid) => format!("{before}{}.{}", zxid.epoch, zxid.counter),
        Err(_) => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_made_short_and_then_cut_off() {
        let text = "PROPOSAL 0x100000002";
        assert_eq!(fitting(text, 20), text);
        assert_eq!(fitting(text, 19), "PROPOSAL 1.2");
        assert_eq!(fitting(text, 11), "PROPOSAL 1…");
        assert_eq!(fitting(text, 0), "");
        assert_eq!(fitting("to=0x300000010 0xnonsense", 20), "to=3.16 0xnonsense");
    }

    #[test]
    fn any_number_of_servers_and_any_width_is_drawn() {
        for servers in 1..=20 {
            for width in [20, 40, 120] {
                let names = Options { width, ..Options::default() };
                let message = QuorumMessage::Commit { zxid: Zxid::new(1, 2) };
                let records = [
                    Record::Started(0, Zxid::ZERO),
                    Record::Started(servers - 1, Zxid::ZERO),
                    Record::Message(0, servers - 1, message.clone()),
                    Record::Message(servers - 1, 0, message),
                    Record::Action(Action::Kill(servers - 1, 0)),
                    Record::Ended(servers - 1, false),
                ];
                let entries = records.map(|record| Entry { at_us: 1_000_000, record });
                assert!(draw(&entries, servers, names).contains("kill"), "{servers} servers, {width} wide");
            }
        }
    }
}
