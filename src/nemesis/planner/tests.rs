//! The planner in a world without processes: nodes die, come back, and elect as if by magic.

use super::*;
use std::collections::BTreeSet;

fn plan(seed: u64, families: &[FaultFamily]) -> Plan {
    Plan {
        simulated: false,
        nodes: 5,
        workload: "register".to_owned(),
        nemesis: families.to_vec(),
        nemesis_interval_ms: 3000,
        targets: Vec::new(),
        partitions: Vec::new(),
        time_limit_ms: 60_000,
        rate: 0,
        concurrency: 10,
        keys: 5,
        ops_per_key: 100,
        op_timeout_ms: 1000,
        seed,
        tick_ms: 200,
        init_limit: 10,
        sync_limit: 5,
        snap_count: 10_000,
        base_port: None,
        bug: None,
        results: "results".into(),
    }
}

const ALL: [FaultFamily; 3] = [FaultFamily::Partition, FaultFamily::Pause, FaultFamily::Kill];

/// What a draw looked like, and the world it was drawn in.
struct Drawn {
    draw: PlannedFault,
    view: View,
}

/// Runs a planner to its end. Whoever is hit by a process fault is down until that fault's time is over.
fn play(plan: &Plan) -> Vec<Drawn> {
    let mut planner = Planner::new(plan);
    let nodes: Vec<NodeId> = NodeId::all(plan.nodes).collect();
    let mut down: Vec<(u64, Vec<NodeId>)> = Vec::new();
    let mut drawn = Vec::new();
    while let Some(at_ns) = planner.next_at_ns() {
        down.retain(|&(until_ns, _)| until_ns > at_ns);
        let is_down = |node: &NodeId| down.iter().any(|(_, nodes)| nodes.contains(node));
        let running: Vec<NodeId> = nodes.iter().copied().filter(|node| !is_down(node)).collect();
        let leader = (running.len() >= 3).then(|| running[drawn.len() % running.len()]);
        let view = View { nodes: nodes.clone(), running, leader };
        let draw = planner.draw(at_ns, &view).expect("it announced one");
        let fault = &draw;
        match &fault.action {
            FaultAction::Pause { nodes, .. } | FaultAction::Kill { nodes, .. } => {
                down.push((fault.at_ns + fault.lasts_ns, nodes.clone()));
            }
            FaultAction::Partition { .. } => {}
        }
        drawn.push(Drawn { draw, view });
        assert!(drawn.len() < 10_000, "the schedule has no end");
    }
    drawn
}

#[test]
fn the_same_seed_draws_the_same_faults_and_another_seed_others() {
    let faults = |seed| play(&plan(seed, &ALL)).into_iter().map(|drawn| drawn.draw).collect::<Vec<_>>();
    assert_eq!(faults(7), faults(7));
    assert_ne!(faults(7), faults(8));
}

#[test]
fn over_a_thousand_seeds_only_running_nodes_are_hit_and_everything_heals_in_time() {
    for seed in 0..1000 {
        let mut plan = plan(seed, &ALL);
        plan.nodes = [3, 4, 5, 7][usize::try_from(seed % 4).unwrap()];
        let limit_ns = plan.time_limit_ms * NS_PER_MS;
        let mut ids = 1..;
        for Drawn { draw: fault, view } in play(&plan) {
            assert_eq!(Some(fault.id), ids.next());
            assert!(fault.lasts_ns > 0 && fault.at_ns + fault.lasts_ns <= limit_ns, "{seed}: {fault:?}");
            match &fault.action {
                FaultAction::Pause { nodes, .. } | FaultAction::Kill { nodes, .. } => {
                    assert_eq!(nodes.is_empty(), fault.impossible.is_some(), "{seed}: {fault:?}");
                    assert!(nodes.iter().all(|node| view.running.contains(node)), "{seed}: {fault:?}");
                    assert_eq!(nodes.iter().collect::<BTreeSet<_>>().len(), nodes.len(), "{seed}: {fault:?}");
                }
                FaultAction::Partition { shape, grudge, .. } => {
                    partitions::check(*shape, plan.nodes).unwrap();
                    assert_eq!(grudge.0.is_empty(), fault.impossible.is_some(), "{seed}: {fault:?}");
                    assert!(grudge.links().all(|(from, to)| from != to));
                }
            }
        }
    }
}

#[test]
fn a_minute_has_enough_faults_and_most_force_an_election() {
    let (mut total, mut forcing) = (0, 0);
    for seed in 0..300 {
        for families in [&ALL[..], &ALL[..1], &ALL[1..2], &ALL[2..]] {
            let drawn = play(&plan(seed, families));
            let possible = drawn.iter().filter(|drawn| drawn.draw.impossible.is_none()).count();
            assert!(possible >= 16, "seed {seed}, {families:?}: {possible}");
            total += drawn.len();
            forcing += drawn.iter().filter(|drawn| unseats(&drawn.draw.action, &drawn.view)).count();
        }
    }
    assert!(forcing * 10 >= total * 6, "{forcing} of {total}");
}

#[test]
fn faults_of_one_family_never_overlap_and_of_several_sometimes_do() {
    let (mut overlaps, mut at_once, mut spaced) = (0, 0, 0);
    for seed in 0..200 {
        let faults: Vec<PlannedFault> = play(&plan(seed, &ALL)).into_iter().map(|drawn| drawn.draw).collect();
        for pair in faults.windows(2) {
            if pair[0].at_ns + pair[0].lasts_ns > pair[1].at_ns {
                assert_ne!(pair[0].action.family(), pair[1].action.family());
                overlaps += 1;
            }
        }
        let alone = play(&plan(seed, &ALL[..1]));
        for pair in alone.windows(2) {
            let end_ns = pair[0].draw.at_ns + pair[0].draw.lasts_ns;
            if pair[1].draw.at_ns == end_ns {
                at_once += 1;
            } else {
                assert!(end_ns + GAP_MS.0 * NS_PER_MS <= pair[1].draw.at_ns);
                spaced += 1;
            }
        }
    }
    assert!((100..1000).contains(&overlaps), "{overlaps}");
    assert!(spaced > at_once && at_once > spaced / 5, "{at_once} at once, {spaced} with a gap");
}

#[test]
fn a_leader_is_paused_long_enough_to_be_replaced_and_sometimes_too_short_to_be_missed() {
    let (mut long, mut short) = (0, 0);
    for seed in 0..100 {
        for Drawn { draw: fault, view } in play(&plan(seed, &[FaultFamily::Pause])) {
            let ends_with_load = fault.at_ns + fault.lasts_ns == 60_000 * NS_PER_MS;
            if !unseats(&fault.action, &view) || ends_with_load {
                continue;
            }
            if fault.lasts_ns >= 1700 * NS_PER_MS {
                long += 1;
            } else {
                assert!(fault.lasts_ns <= 500 * NS_PER_MS, "neither long nor short: {fault:?}");
                short += 1;
            }
        }
    }
    assert!(long > 2 * short && short > 20, "{long} long, {short} short");
}

#[test]
fn what_was_asked_for_is_what_is_drawn() {
    let mut asked = plan(3, &ALL);
    asked.targets = vec![TargetSpec::Nodes(vec![NodeId::new(2)])];
    asked.partitions = vec![PartitionShape::OneWay];
    for Drawn { draw: fault, .. } in play(&asked) {
        match fault.action {
            FaultAction::Partition { shape, grudge, .. } => {
                assert_eq!(shape, PartitionShape::OneWay);
                let node = NodeId::new(2);
                assert!(grudge.links().all(|(from, to)| from == node || to == node));
            }
            FaultAction::Pause { nodes, .. } | FaultAction::Kill { nodes, .. } => {
                assert!(nodes.iter().all(|node| node.number() == 2), "{nodes:?}");
            }
        }
    }
}

#[test]
fn no_family_no_fault_and_no_time_no_fault() {
    assert_eq!(Planner::new(&plan(1, &[])).next_at_ns(), None);
    let mut short = plan(1, &ALL);
    short.time_limit_ms = 1000;
    assert_eq!(Planner::new(&short).next_at_ns(), None);
}
