use zab_sim::run::{Options, Parameters, draw};
fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut rows = Vec::new();
    for seed in 0..n {
        let p = Parameters::draw(seed);
        let out = draw(&p, Options::default());
        let t = p.world.tick_ms * (p.world.init_limit + p.world.sync_limit) * 1000;
        rows.push((out.recovery_us as f64 / (t as f64 + 2e6), out.recovery_us, seed, t));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for r in rows.iter().take(12) {
        println!("{r:?}");
    }
    println!("median {:?}", rows[rows.len() / 2]);
}
