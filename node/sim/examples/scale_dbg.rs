use zab_sim::scale::*;
fn main() {
    let a: Vec<u64> = std::env::args().skip(1).map(|x| x.parse().unwrap()).collect();
    let place = if a[0] == 0 { Place::OneRoom } else { Place::FiveRegions };
    let s = Scale{ finalize_ms: a[2], start_spread_ms: 1000, ..Scale::recommended(place, a[1] as u16, 0)};
    println!("{}", (0..a[3]).filter(|seed| elects_cleanly(&Scale{seed:*seed, ..s})).count());
}
