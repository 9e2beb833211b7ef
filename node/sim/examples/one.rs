use zab_sim::run::{Options, Parameters, draw};
fn main() {
    let args: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    let p = Parameters::draw(args[0]);
    let out = draw(&p, Options { journal: true });
    let from = args.get(1).copied().unwrap_or(0);
    let n = out.journal.len();
    let last = args.get(2).map(|l| *l as usize).unwrap_or(n);
    for e in out.journal.iter().skip(n - last.min(n)) {
        if e.at_us / 1000 < from {
            continue;
        }
        println!("{:>9} {:?}", e.at_us, e.record);
    }
    println!("{:?}", out.broken);
}
