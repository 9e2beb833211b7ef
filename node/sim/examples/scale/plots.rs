//! The plots.

use plotters::prelude::*;
use serde_json::Value;
use std::error::Error;
use std::path::Path;

type Line = (String, Vec<(f64, f64)>);

struct Plot<'a> {
    file: &'a str,
    title: &'a str,
    x: &'a str,
    y: &'a str,
    lines: Vec<Line>,
}

/// Draws all.
pub(crate) fn draw(figures: &Value, folder: &Path) -> Result<(), Box<dyn Error>> {
    let rows = figures["measured"].as_array().cloned().unwrap_or_default();
    let plots = [
        Plot {
            file: "votes.svg",
            title: "Votes sent in an election, after the leader was killed",
            x: "voters (no observers)",
            y: "messages",
            lines: with_square(by_voters(&rows, &["killed", "votes"], 1.0)),
        },
        Plot {
            file: "outage.svg",
            title: "From the leader's death to the next acknowledged write",
            x: "voters (no observers)",
            y: "milliseconds",
            lines: by_voters(&rows, &["killed", "outage_us"], 1e3)
                .into_iter()
                .map(|(name, points)| (format!("{name}: process killed"), points))
                .chain(
                    by_voters(&rows, &["power", "outage_us"], 1e3)
                        .into_iter()
                        .map(|(name, points)| (format!("{name}: power lost"), points)),
                )
                .collect(),
        },
        Plot {
            file: "phases.svg",
            title: "Phases of an election in five regions, after the leader was killed",
            x: "voters (no observers)",
            y: "milliseconds",
            lines: [
                ("detect", "detect_us"),
                ("elect", "elect_us"),
                ("discover and synchronize", "establish_us"),
                ("first write", "first_write_us"),
            ]
            .map(|(name, field)| {
                let mut lines = by_voters(&rows, &["killed", field], 1e3);
                (name.to_owned(), lines.pop().map(|(_, points)| points).unwrap_or_default())
            })
            .to_vec(),
        },
        Plot {
            file: "observers.svg",
            title: "Votes and questions in an election, with observers (leader killed)",
            x: "observers",
            y: "messages",
            lines: by_observers(&rows, &["killed", "votes"], 1.0),
        },
        Plot {
            file: "writes.svg",
            title: "Messages for one write",
            x: "servers (voters and observers)",
            y: "messages",
            lines: messages_per_write(&rows),
        },
    ];
    plots.iter().try_for_each(|plot| plot.draw(folder))
}

fn value(row: &Value, path: &[&str], unit: f64) -> f64 {
    let found = path.iter().fold(row, |at, name| &at[*name]);
    let found = found.as_array().map_or(found, |pair| &pair[0]);
    found.as_f64().or_else(|| found.as_str()?.parse().ok()).unwrap_or(0.0) / unit
}

fn of_place<'a>(rows: &'a [Value], place: &'a str) -> impl Iterator<Item = &'a Value> {
    rows.iter().filter(move |row| row["place"] == place)
}

fn by_voters(rows: &[Value], path: &[&str], unit: f64) -> Vec<Line> {
    ["one room", "five regions"]
        .map(|place| {
            let points = of_place(rows, place)
                .filter(|row| row["observers"] == 0)
                .map(|row| (value(row, &["voters"], 1.0), value(row, path, unit)));
            (place.to_owned(), points.collect())
        })
        .to_vec()
}

fn with_square(mut lines: Vec<Line>) -> Vec<Line> {
    let square: Vec<(f64, f64)> = lines[0].1.iter().map(|(x, _)| (*x, x * (x - 1.0))).collect();
    lines.push(("everybody to everybody, once".to_owned(), square));
    lines
}

fn by_observers(rows: &[Value], path: &[&str], unit: f64) -> Vec<Line> {
    let mut lines = Vec::new();
    for place in ["one room", "five regions"] {
        for voters in [5, 9] {
            let points = of_place(rows, place)
                .filter(|row| row["voters"] == voters && row["observers"] != 0)
                .map(|row| (value(row, &["observers"], 1.0), value(row, path, unit)));
            lines.push((format!("{voters} voters, {place}"), points.collect()));
        }
    }
    lines
}

fn messages_per_write(rows: &[Value]) -> Vec<Line> {
    let line = |name: &str, of: &dyn Fn(&&Value) -> bool| {
        let points = of_place(rows, "one room").filter(of).map(|row| {
            let servers = value(row, &["voters"], 1.0) + value(row, &["observers"], 1.0);
            (servers, value(row, &["write", "messages"], 1.0))
        });
        (name.to_owned(), points.collect())
    };
    vec![
        line("voters only", &|row| row["observers"] == 0),
        line("5 voters, the rest observers", &|row| row["voters"] == 5),
        line("9 voters, the rest observers", &|row| row["voters"] == 9),
    ]
}

const COLORS: [RGBColor; 4] =
    [RGBColor(0, 90, 160), RGBColor(200, 80, 0), RGBColor(0, 130, 80), RGBColor(140, 60, 140)];

impl Plot<'_> {
    fn draw(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        let path = folder.join(self.file);
        let area = SVGBackend::new(&path, (800, 480)).into_drawing_area();
        area.fill(&WHITE)?;
        let all = || self.lines.iter().flat_map(|(_, points)| points.iter().copied());
        let positive = |value: f64| value.max(0.1);
        let (low_x, high_x) = ends(all().map(|(x, _)| x));
        let (low_y, high_y) = ends(all().map(|(_, y)| positive(y)));
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(78)
            .build_cartesian_2d(
                (low_x * 0.9..high_x * 1.1).log_scale(),
                // Room above for the legend.
                (low_y * 0.7..high_y * 6.0).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc(format!("{}, log scale", self.x))
            .y_desc(format!("{}, log scale", self.y))
            .x_labels(6)
            .x_label_formatter(&label)
            .y_label_formatter(&label)
            .axis_desc_style(("sans-serif", 15))
            .label_style(("sans-serif", 13))
            .light_line_style(RGBColor(240, 240, 240))
            .draw()?;
        for ((name, points), color) in self.lines.iter().zip(COLORS) {
            let points: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, positive(*y))).collect();
            chart
                .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], color.stroke_width(2)));
            chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, color.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(("sans-serif", 14))
            .background_style(WHITE)
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
        area.present()?;
        Ok(())
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
}

fn label(value: &f64) -> String {
    match *value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e4 => format!("{} k", value / 1e3),
        value => format!("{}", (value * 10.0).round() / 10.0),
    }
}
