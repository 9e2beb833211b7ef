//! Ports for the nodes' own sockets.
//!
//! Nodes are killed and restarted, so their ports must still be free when they come back: they are taken
//! from outside the range the kernel gives to outgoing connections, and a whole block is reserved by holding
//! its first port, so that two runs side by side never share one. With `--base-port` the user decides.

use super::NodeId;
use crate::exit::UsageError;
use crate::network::RealPorts;
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

/// client, quorum, election.
const PORTS_PER_NODE: u16 = 3;
/// First port of the first block: below it, ports have names.
const LOWEST: u16 = 10_240;

/// The ports of a cluster, reserved while this lives.
#[derive(Debug)]
pub(super) struct PortBlock {
    /// Each node's ports.
    pub(super) nodes: BTreeMap<NodeId, RealPorts>,
    /// Holds the block's first port against other runs.
    _guard: Option<TcpListener>,
}

impl PortBlock {
    /// Ports for `count` nodes: from `base` on exactly, or a free block.
    ///
    /// # Errors
    /// When a port that was asked for is taken or beyond 65535, or no block is free.
    pub(super) fn reserve(count: u16, base: Option<u16>) -> anyhow::Result<Self> {
        match base {
            Some(base) => Self::exactly(count, base),
            None => Self::anywhere(count),
        }
    }

    fn exactly(count: u16, base: u16) -> anyhow::Result<Self> {
        let needed = u32::from(count) * u32::from(PORTS_PER_NODE);
        let last = u32::from(base) + needed - 1;
        if last > u32::from(u16::MAX) {
            return Err(UsageError(format!(
                "{count} nodes need the ports {base} to {last}, but the last port there is is {}; choose a lower --base-port",
                u16::MAX
            ))
            .into());
        }
        let nodes = assign(count, base);
        for (node, ports) in &nodes {
            for (port, role) in
                [(ports.client, "client"), (ports.quorum, "quorum"), (ports.election, "election")]
            {
                if !is_free(port) {
                    return Err(UsageError(format!(
                        "port {port} ({node}'s {role} port) is already taken; choose another --base-port, \
                         or leave it out and free ports are found"
                    ))
                    .into());
                }
            }
        }
        Ok(Self { nodes, _guard: None })
    }

    fn anywhere(count: u16) -> anyhow::Result<Self> {
        let size = count
            .checked_mul(PORTS_PER_NODE)
            .and_then(|ports| ports.checked_add(1))
            .context("so many nodes do not fit into the ports of one machine")?;
        // Blocks of every size start at multiples of 64, so that runs of different sizes meet at guards.
        let step = size.next_multiple_of(64);
        let (low, high) = outside(ephemeral_range());
        let blocks = (high - low) / step;
        ensure!(blocks > 0, "{count} nodes need {size} ports in a row, but only {low} to {high} are left");
        // Runs that start side by side begin their search at different places.
        let first = u16::try_from(std::process::id() % u32::from(blocks)).expect("below a u16");
        for turn in 0..blocks {
            let start = low + (first + turn) % blocks * step;
            let Ok(guard) = TcpListener::bind((Ipv4Addr::LOCALHOST, start)) else { continue };
            if (start + 1..start + size).all(is_free) {
                return Ok(Self { nodes: assign(count, start + 1), _guard: Some(guard) });
            }
        }
        bail!(
            "no {size} free ports in a row between {low} and {high}; end other programs, or give --base-port"
        )
    }
}

/// Each node's ports when the first is `base`.
fn assign(count: u16, base: u16) -> BTreeMap<NodeId, RealPorts> {
    NodeId::all(count)
        .map(|node| {
            let client = base + (node.number() - 1) * PORTS_PER_NODE;
            (node, RealPorts { client, quorum: client + 1, election: client + 2 })
        })
        .collect()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The ports the kernel gives to outgoing connections, ends included; Linux's default when it does not say.
fn ephemeral_range() -> (u16, u16) {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().filter_map(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(low), Some(high)) => (low, high),
        (Some(_) | None, _) => (32_768, 60_999),
    }
}

/// The wider of the two ranges beside the ephemeral one: first port, first port behind it.
fn outside((low, high): (u16, u16)) -> (u16, u16) {
    let below = low.saturating_sub(LOWEST);
    let above = u16::MAX - high;
    if below >= above { (LOWEST, low.max(LOWEST)) } else { (high + 1, u16::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_block_lies_outside_the_ephemeral_range_and_is_not_given_twice() {
        let first = PortBlock::reserve(5, None).unwrap();
        let second = PortBlock::reserve(5, None).unwrap();
        let (low, high) = ephemeral_range();
        for (node, ports) in &first.nodes {
            for port in [ports.client, ports.quorum, ports.election] {
                assert!(port < low || port > high, "{node}: {port}");
                assert!(
                    second
                        .nodes
                        .values()
                        .all(|other| { ![other.client, other.quorum, other.election].contains(&port) })
                );
            }
        }
    }

    #[test]
    fn a_taken_port_is_named_with_its_owner_and_role() {
        let probe = PortBlock::reserve(3, None).unwrap();
        let base = probe.nodes[&NodeId::new(1)].client;
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 5)).unwrap();
        let error = PortBlock::reserve(3, Some(base)).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("port {} (n2's election port) is already taken; ", base + 5)),
            "{error}"
        );
        drop(taken);
        let exact = PortBlock::reserve(3, Some(base)).unwrap();
        assert_eq!(
            exact.nodes[&NodeId::new(3)],
            RealPorts { client: base + 6, quorum: base + 7, election: base + 8 }
        );
    }

    #[test]
    fn ports_beyond_the_last_are_refused() {
        let error = PortBlock::reserve(5, Some(65_530)).unwrap_err().to_string();
        assert!(error.contains("65530 to 65544"), "{error}");
    }

    #[test]
    fn the_wider_side_of_the_ephemeral_range_is_used() {
        assert_eq!(outside((32_768, 60_999)), (LOWEST, 32_768));
        assert_eq!(outside((1024, 50_000)), (50_001, u16::MAX));
    }
}
