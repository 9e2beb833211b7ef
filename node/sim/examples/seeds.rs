use std::time::Instant;
use zab_sim::run::{Options, Parameters, draw};
fn main() {
    let args: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let (from, count) = (args[0], args[1]);
    let began = Instant::now();
    let (mut steps, mut faults, mut virt, mut bad) = (0, 0, 0, 0);
    let mut worst = (0, 0);
    for seed in from..from + count {
        let t = Instant::now();
        let p = Parameters::draw(seed);
        let out = std::panic::catch_unwind(|| draw(&p, Options::default()));
        let Ok(out) = out else {
            println!("seed {seed} PANIC {p}");
            bad += 1;
            continue;
        };
        steps += out.counters.steps;
        faults += out.faults;
        virt += out.virtual_us;
        if out.recovery_us > worst.0 {
            worst = (out.recovery_us, seed);
        }
        if let Some((at, v)) = &out.broken {
            bad += 1;
            println!("seed {seed} at {} ms: {} {}\n   {p}", at / 1000, v.property, v.what);
        }
        if let Some(u) = &out.unknown {
            println!("seed {seed} unknown {u}");
        }
        if t.elapsed().as_millis() > 1000 {
            println!("seed {seed} slow: {:?} steps {} {p}", t.elapsed(), out.counters.steps);
        }
    }
    let s = began.elapsed().as_secs_f64();
    println!(
        "{count} seeds {bad} bad in {s:.1} s; {:.0} steps/s; {:.0} x real; {faults} faults; worst recovery {worst:?}; {} steps/seed",
        steps as f64 / s,
        virt as f64 / 1e6 / s,
        steps / count
    );
}
