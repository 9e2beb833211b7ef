//! The engine against the monitors on larger histories than brute force can take: thousands of operations of many
//! clients, crashed ones among them, linearizable and with one wrong answer.

#[path = "../benches/checks/world.rs"]
#[expect(dead_code, reason = "made for the benches, which have a kind more")]
mod world;

use checker::certificate::{Certificate, verify};
use checker::{History, Methods, Model, Options, Verdict};
use world::{Kind, Load};

/// The verdict of the type's monitor and that of the engine; either may leave a key open.
fn verdicts(history: &History, model: Model) -> [Verdict; 2] {
    [Methods { engine: false, stamps: false, ..Methods::ALL }, Methods::ENGINE].map(|methods| {
        let options = Options { methods, max_configs: 20_000, ..Options::default() };
        let checked = model.check(history, &options).expect("the shapes are right");
        if !matches!(checked.verdict, Verdict::Unknown(_)) {
            let certificate = Certificate::of(history, model, &checked);
            verify(history, &certificate).unwrap_or_else(|refusal| panic!("{model} {methods:?}: {refusal}"));
        }
        checked.verdict
    })
}

#[test]
fn monitors_and_engine_agree_where_both_decide() {
    let kinds = [
        (Kind::Register, Model::CasRegister),
        (Kind::CasUnique, Model::CasRegister),
        (Kind::Counter, Model::Counter),
        (Kind::List, Model::List),
        (Kind::Set, Model::Set),
        (Kind::Queue, Model::Queue),
        (Kind::Lock, Model::Lock),
    ];
    let (mut both, mut invalid) = (0, 0);
    for (kind, model) in kinds {
        for seed in 0..4 {
            let load = Load { seed, ..Load::new(kind, 4, 300) };
            for load in [load, load.crashed(0.03), load.violated()] {
                let [monitor, engine] = verdicts(&load.generate(), model);
                let known = |verdict: &Verdict| !matches!(verdict, Verdict::Unknown(_));
                if known(&monitor) && known(&engine) {
                    assert_eq!(monitor.name(), engine.name(), "{load:?}: {monitor} / {engine}");
                    both += 1;
                    invalid += u32::from(monitor.is_invalid());
                }
                assert!(known(&monitor) || kind == Kind::Lock, "{load:?}: {monitor}");
            }
        }
    }
    assert!(both > 50 && invalid > 12, "{both} decided by both, {invalid} invalid");
}
