//! What is measured, once for `cargo bench` and for the table of docs/PERFORMANCE.md.

use checker::{Methods, Model, Options, Verdict};

use crate::world::{Kind, Load};

/// A check of one history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) load: Load,
    pub(crate) methods: Methods,
    /// The verdict it must have; `None`: values repeat, so it is the engine's to say.
    pub(crate) valid: Option<bool>,
}

impl Case {
    pub(crate) fn model(&self) -> Model {
        match self.load.kind {
            Kind::Register | Kind::CasUnique | Kind::CasRegister => Model::CasRegister,
            Kind::Counter => Model::Counter,
            Kind::List => Model::List,
            Kind::Set => Model::Set,
            Kind::Queue => Model::Queue,
            Kind::Lock => Model::Lock,
        }
    }

    /// One thread, so that figures can be compared.
    pub(crate) fn options(&self) -> Options {
        Options { threads: 1, methods: self.methods, max_counterexamples: 1, ..Options::default() }
    }

    /// The verdict is what it must be.
    pub(crate) fn assert(&self, verdict: &Verdict) {
        let known = !matches!(verdict, Verdict::Unknown(_));
        assert!(
            known && self.valid.is_none_or(|valid| valid == verdict.is_valid()),
            "{}: {verdict}",
            self.name
        );
    }
}

const M: usize = 1_000_000;

fn case(name: &'static str, load: Load) -> Case {
    let told = load.kind != Kind::CasRegister || !load.violation;
    let valid = told.then_some(!load.violation);
    Case { name, load, methods: Methods::ALL, valid }
}

/// Everything that docs/PERFORMANCE.md tells of.
pub(crate) fn cases() -> Vec<Case> {
    let register = Load::new(Kind::Register, 100, M);
    let unique = Load::new(Kind::CasUnique, 100, M);
    let few = |clients, operations| Load::new(Kind::CasRegister, clients, operations);
    let engine = |name, load| Case { methods: Methods::ENGINE, ..case(name, load) };
    vec![
        case("register, 100 clients, 1 M", register),
        case("register, 100 clients, 1 M, 1 % crashed", register.crashed(0.01)),
        case("register, 100 clients, 1 M, 5 % crashed", register.crashed(0.05)),
        case("register, 100 clients, 1 M, a stale read", register.violated()),
        case("register, 100 clients, 1 M, 5 % crashed, a stale read", register.crashed(0.05).violated()),
        case("cas to unique, 100 clients, 1 M", unique),
        case("cas to unique, 100 clients, 1 M, 1 % crashed", unique.crashed(0.01)),
        case("cas to unique, 100 clients, 1 M, 5 % crashed", unique.crashed(0.05)),
        case("cas to unique, 100 clients, 1 M, a stale read", unique.violated()),
        case("register, 1000 keys, 100 clients, 1 M", Load { keys: 1000, ..register }),
        case("counter, 100 clients, 1 M", Load::new(Kind::Counter, 100, M)),
        case("list, 5 keys, 10 clients, 1 M", Load::new(Kind::List, 10, M)),
        case("list, 5 keys, 50 clients, 1 M", Load::new(Kind::List, 50, M)),
        case("set, 5 keys, 10 clients, 1 M", Load::new(Kind::Set, 10, M)),
        case("set, 5 keys, 50 clients, 1 M", Load::new(Kind::Set, 50, M)),
        case("queue, 100 clients, 1 M", Load::new(Kind::Queue, 100, M)),
        case("lock, 20 clients, 1 M", Load { keys: 5, ..Load::new(Kind::Lock, 20, M) }),
        case("cas of 5 values, 20 clients, 100 k", few(20, 100_000)),
        case("cas of 5 values, 50 clients, 100 k", few(50, 100_000)),
        case("cas of 5 values, 100 clients, 100 k", few(100, 100_000)),
        case(
            "cas of 5 values, 20 clients, 1 k, 5 % crashed, a stale read",
            few(20, 1_000).crashed(0.05).violated(),
        ),
        case("cas of 5 values, 10 clients, 10 k, 5 % crashed", few(10, 10_000).crashed(0.05)),
        engine("register by the engine, 20 clients, 1 k", Load::new(Kind::Register, 20, 1_000)),
        engine("register by the engine, 100 clients, 1 M", register),
    ]
}
