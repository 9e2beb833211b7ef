//! How the time of a check grows with the history: `cargo run --release -p checker --example growth [SVG]`.
//!
//! One thread, from 10³ to 10⁷ operations, least of three (of one at 10⁷: what else runs only adds). Prints a table; with a
//! path it draws it there.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

#[path = "../benches/checks/world.rs"]
#[expect(dead_code, reason = "made for the benches, which also crash and spoil")]
mod world;

use std::path::Path;
use std::time::Instant;

use checker::{Methods, Model, Options};
use plotters::prelude::*;
use world::{Kind, Load};

/// A line of the plot: (operations, seconds) for each size.
struct Growth {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];

fn main() {
    let lines: [(&str, Kind, u32, Model, Methods, usize); 8] = [
        ("register, 100 clients", Kind::Register, 100, Model::CasRegister, Methods::ALL, 5),
        ("cas to unique, 100 clients", Kind::CasUnique, 100, Model::CasRegister, Methods::ALL, 5),
        ("counter, 100 clients", Kind::Counter, 100, Model::Counter, Methods::ALL, 5),
        ("list, 5 keys, 10 clients", Kind::List, 10, Model::List, Methods::ALL, 5),
        ("set, 5 keys, 10 clients", Kind::Set, 10, Model::Set, Methods::ALL, 5),
        ("queue, 100 clients", Kind::Queue, 100, Model::Queue, Methods::ALL, 5),
        ("lock, 20 clients", Kind::Lock, 20, Model::Lock, Methods::ALL, 5),
        (
            "cas of 5 values, 10 clients (engine)",
            Kind::CasRegister,
            10,
            Model::CasRegister,
            Methods::ENGINE,
            4,
        ),
    ];
    println!("| history | {} |", SIZES.map(|size| size.to_string()).join(" | "));
    println!("|---|{}", "---:|".repeat(SIZES.len()));
    let mut growths = Vec::new();
    for (name, kind, clients, model, methods, sizes) in lines {
        let mut growth = Growth { name, points: Vec::new() };
        for &size in &SIZES[..sizes] {
            growth.points.push((count(size), seconds(Load::new(kind, clients, size), model, methods)));
        }
        let cells: Vec<String> =
            growth.points.iter().map(|&(_, time)| format!("{:.2} ms", time * 1000.0)).collect();
        println!("| {name} | {} |", cells.join(" | "));
        growths.push(growth);
    }
    if let Some(path) = std::env::args().nth(1) {
        draw(Path::new(&path), &growths).expect("the plot can be written");
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(size: usize) -> f64 {
    size as f64
}

fn seconds(load: Load, model: Model, methods: Methods) -> f64 {
    let history = load.generate();
    let options = Options { threads: 1, methods, ..Options::default() };
    let once = |_| {
        let began = Instant::now();
        let checked = model.check(&history, &options).expect("the shapes are right");
        assert!(checked.verdict.is_valid(), "{}", checked.verdict);
        began.elapsed().as_secs_f64()
    };
    let repetitions = if load.operations < 10_000_000 { 3 } else { 1 };
    (0..repetitions).map(once).fold(f64::INFINITY, f64::min)
}

fn draw(path: &Path, growths: &[Growth]) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(path, (900, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Time of a check by operations: parallel to the grey line is linear", ("sans-serif", 20))
        .margin(15)
        .x_label_area_size(45)
        .y_label_area_size(70)
        .build_cartesian_2d((1e3..1.2e7_f64).log_scale(), (1e-5..20.0_f64).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("operations")
        .y_desc("seconds, one thread")
        .x_label_formatter(&|x| format!("{x:.0e}"))
        .y_label_formatter(&|y| format!("{y:.0e}"))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart.draw_series(LineSeries::new([(1e3, 5e-5), (1e7, 0.5)], BLACK.mix(0.3).stroke_width(4)))?;
    for (number, growth) in growths.iter().enumerate() {
        let color = Palette99::pick(number).to_rgba();
        chart
            .draw_series(LineSeries::new(growth.points.iter().copied(), color.stroke_width(2)))?
            .label(growth.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        chart.draw_series(growth.points.iter().map(|&point| Circle::new(point, 3, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    root.present()?;
    Ok(())
}
