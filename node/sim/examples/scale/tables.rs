//! The tables of `SCALE.md`, put between `<!-- table NAME -->` and `<!-- end -->`.

use serde_json::Value;
use std::path::Path;

/// Fills in all tables.
pub(crate) fn fill(figures: &Value, folder: &Path) -> std::io::Result<()> {
    let page = folder.join("../SCALE.md");
    if !page.exists() {
        return Ok(());
    }
    let mut text = std::fs::read_to_string(&page)?;
    let rows = |name: &str| figures[name].as_array().cloned().unwrap_or_default();
    let measured = rows("measured");
    let tables = [
        ("times", times(&measured)),
        ("messages", messages(&measured)),
        ("writes", writes(&measured)),
        ("stock", times(&rows("stock"))),
        ("limits", limits(&rows("limits"))),
    ];
    for (name, table) in tables {
        let begin = format!("<!-- table {name} -->\n");
        let Some(from) = text.find(&begin).map(|at| at + begin.len()) else { continue };
        let Some(to) = text[from..].find("<!-- end -->").map(|at| from + at) else { continue };
        text.replace_range(from..to, &table);
    }
    std::fs::write(page, text)
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    text.push_str(&format!("|---|{}\n", "--:|".repeat(head.len() - 1)));
    rows.for_each(|cells| text.push_str(&line(&cells)));
    text
}

/// Place, voters, observers.
fn size(row: &Value) -> Vec<String> {
    vec![
        row["place"].as_str().unwrap_or_default().to_owned(),
        row["voters"].to_string(),
        row["observers"].to_string(),
    ]
}

fn ms(us: &Value) -> String {
    let us = us.as_u64().unwrap_or(0);
    if us < 9_950 { format!("{:.1}", us as f64 / 1e3) } else { thousands((us + 500) / 1_000) }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn number(value: &Value) -> String {
    thousands(value.as_u64().unwrap_or(0))
}

fn times(rows: &[Value]) -> String {
    let head = [
        "place",
        "voters",
        "observers",
        "cold start: writes",
        "killed: detect",
        "elect",
        "establish",
        "first write",
        "sum",
        "all serve",
        "power lost: detect",
        "sum",
        "all serve",
        "rounds",
    ];
    table(
        &head,
        rows.iter().map(|row| {
            let (killed, power) = (&row["killed"], &row["power"]);
            let mut cells = size(row);
            cells.push(ms(&row["cold"]["outage_us"]));
            for name in
                ["detect_us", "elect_us", "establish_us", "first_write_us", "outage_us", "all_serve_us"]
            {
                cells.push(ms(&killed[name]));
            }
            for name in ["detect_us", "outage_us", "all_serve_us"] {
                cells.push(ms(&power[name]));
            }
            let rounds = [&row["cold"], killed, power].map(|election| election["rounds"].to_string());
            cells.push(rounds.join(" "));
            cells
        }),
    )
}

fn messages(rows: &[Value]) -> String {
    let head = [
        "place",
        "voters",
        "observers",
        "votes: cold",
        "votes: killed",
        "votes: power lost",
        "their MB (killed)",
        "without the configuration",
        "discovery",
        "synchronization",
        "pings meanwhile",
        "idle: messages/s",
    ];
    table(
        &head,
        rows.iter().map(|row| {
            let killed = &row["killed"];
            let votes = killed["votes"][0].as_u64().unwrap_or(0);
            let mut cells = size(row);
            for cause in ["cold", "killed", "power"] {
                cells.push(number(&row[cause]["votes"][0]));
            }
            let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
            cells.push(megabytes(killed["votes"][1].as_u64().unwrap_or(0)));
            cells.push(megabytes(votes * 48));
            for purpose in ["discovery", "synchronization", "pings"] {
                cells.push(number(&killed[purpose][0]));
            }
            cells.push(number(&row["idle_messages_per_s"]));
            cells
        }),
    )
}

fn writes(rows: &[Value]) -> String {
    let head = [
        "place",
        "voters",
        "observers",
        "messages",
        "bytes",
        "leader p50",
        "p99",
        "far follower p50",
        "p99",
        "far observer p50",
        "p99",
    ];
    table(
        &head,
        rows.iter().map(|row| {
            let write = &row["write"];
            let mut cells = size(row);
            cells.push(write["messages"].as_str().unwrap_or_default().to_owned());
            cells.push(number(&write["bytes"]));
            for vantage in ["leader", "follower", "observer"] {
                for part in ["p50_us", "p99_us"] {
                    let us = &write[vantage][part];
                    cells.push(if us.is_null() { "–".to_owned() } else { ms(us) });
                }
            }
            cells
        }),
    )
}

fn limits(rows: &[Value]) -> String {
    let head = [
        "place",
        "voters",
        "finalize, after a death",
        "finalize, staggered start",
        "initLimit × tick",
        "syncLimit × tick",
    ];
    let cell = |value: &Value| value.as_u64().map_or_else(|| "none tried".to_owned(), thousands);
    table(
        &head,
        rows.iter().map(|row| {
            let mut cells: Vec<String> =
                vec![row["place"].as_str().unwrap_or_default().to_owned(), row["voters"].to_string()];
            for name in ["finalize_after_death_ms", "finalize_staggered_start_ms", "init_ms", "sync_ms"] {
                cells.push(cell(&row[name]));
            }
            cells
        }),
    )
}
