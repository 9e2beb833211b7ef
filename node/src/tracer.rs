//! What a server tells about itself: one line for people on stderr, and the trace file for reports.
//!
//! The trace file has one JSON object a line, each appended with one `write`, so that a killed process
//! leaves whole lines: `{"mono_ns":…,"wall_ms":…,"server":3,"event":"leader.established","epoch":2,…}`.
//! `mono_ns` is CLOCK_MONOTONIC, which all processes of one machine share.

use nix::time::{ClockId, clock_gettime};
use serde::Serializer as _;
use serde::ser::SerializeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use zab_core::trace::TraceValue;
use zab_core::{Recovered, Trace};
use zab_wire::{ServerId, Zxid};

/// Writes lines for people to stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    /// Whose lines they are.
    pub(crate) me: ServerId,
}

impl Log {
    /// Writes `2026-03-01T12:00:00.123Z n3 <text>`.
    pub(crate) fn line(self, text: impl fmt::Display) {
        let line = format!("{} n{} {text}\n", Timestamp(wall_ms()), self.me);
        // Nobody may be listening any more; that is no reason to stop serving.
        let _heard = io::stderr().write_all(line.as_bytes());
    }
}

/// The trace file, if there is one, and the log.
#[derive(Debug)]
pub(crate) struct Tracer {
    log: Log,
    file: Option<File>,
    line: Vec<u8>,
}

impl Tracer {
    /// Appends to the file at `path`, if one is wanted.
    pub(crate) fn open(log: Log, path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { log, file, line: Vec::new() })
    }

    /// Records what the server starts with.
    pub(crate) fn started(&mut self, recovered: &Recovered) -> io::Result<()> {
        let Recovered { accepted_epoch, current_epoch, snapshot, entries } = recovered;
        let snapshot = snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
        let zxid = entries.last().map_or(snapshot, |entry| entry.zxid);
        let pid = std::process::id();
        let fields = [
            ("pid", TraceValue::Number(pid.into())),
            ("zxid", TraceValue::Text(zxid.to_string())),
            ("accepted_epoch", TraceValue::Number((*accepted_epoch).into())),
            ("current_epoch", TraceValue::Number((*current_epoch).into())),
        ];
        self.log.line(format_args!(
            "process.started pid={pid} zxid={zxid} accepted_epoch={accepted_epoch} current_epoch={current_epoch}"
        ));
        self.write("process.started", &fields)
    }

    /// Records a transition.
    pub(crate) fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.log.line(trace);
        self.write(trace.name(), &trace.fields())
    }

    /// Records why the process ends.
    pub(crate) fn ended(&mut self, event: &str, reason: &str) -> io::Result<()> {
        self.log.line(format_args!("{event} reason=\"{reason}\""));
        self.write(event, &[("reason", TraceValue::Text(reason.to_owned()))])
    }

    fn write(&mut self, event: &str, fields: &[(&str, TraceValue)]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        self.line.clear();
        let mut json = serde_json::Serializer::new(&mut self.line);
        let mut map = json.serialize_map(None)?;
        map.serialize_entry("mono_ns", &mono_ns())?;
        map.serialize_entry("wall_ms", &wall_ms())?;
        map.serialize_entry("server", &self.log.me.0)?;
        map.serialize_entry("event", event)?;
        for (name, value) in fields {
            match value {
                TraceValue::Number(number) => map.serialize_entry(name, number)?,
                TraceValue::Text(text) => map.serialize_entry(name, text)?,
            }
        }
        map.end()?;
        self.line.push(b'\n');
        file.write_all(&self.line)
    }
}

/// CLOCK_MONOTONIC in ns.
fn mono_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has a monotonic clock");
    let seconds = u64::try_from(now.tv_sec()).expect("time since boot is not negative");
    let nanos = u64::try_from(now.tv_nsec()).expect("a fraction is not negative");
    seconds * 1_000_000_000 + nanos
}

/// The wall clock in ms since 1970.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// ms since 1970 as RFC 3339 in UTC.
struct Timestamp(i64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        // Days since 1970 to a date, in eras of 400 years that begin on 1 March of year 0
        // (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1000 % 60,
            ms % 1000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn timestamps_are_calendar_dates() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_798_761_600_001, "2027-01-01T00:00:00.001Z"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), text);
        }
    }

    #[test]
    fn each_transition_is_one_line_of_json_behind_those_of_earlier_starts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        for _start in 0..2 {
            let mut tracer = Tracer::open(Log { me: ServerId(3) }, Some(&path)).unwrap();
            tracer
                .started(&Recovered { accepted_epoch: 2, current_epoch: 1, ..Recovered::default() })
                .unwrap();
            tracer.trace(&Trace::Established { epoch: 2, history: Zxid::new(1, 7) }).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2]["event"], "process.started");
        assert_eq!(lines[2]["pid"], std::process::id());
        assert_eq!(lines[2]["accepted_epoch"], 2);
        assert_eq!(lines[3]["event"], "leader.established");
        assert_eq!(lines[3]["server"], 3);
        assert_eq!(lines[3]["history"], "0x100000007");
        assert!(lines[3]["mono_ns"].as_u64().unwrap() >= lines[0]["mono_ns"].as_u64().unwrap());
        assert!(text.lines().nth(1).unwrap().starts_with("{\"mono_ns\":"));
    }
}
