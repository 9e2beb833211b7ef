use std::time::Instant;
use zab_sim::scale::*;
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let n = |i: usize| a[i].parse::<u64>().unwrap();
    let place = if a[0] == "one" { Place::OneRoom } else { Place::FiveRegions };
    let mut s = Scale::recommended(place, n(1) as u16, n(2) as u16);
    if a.len() > 3 { s.finalize_ms = n(3); }
    let t = Instant::now();
    println!("{:#?}", measure(&s));
    println!("{:?}", t.elapsed());
}
