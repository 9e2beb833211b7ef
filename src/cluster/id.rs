//! Names of nodes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A node of the cluster under test, n1 … nN. Its server id is the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct NodeId(u16);

impl NodeId {
    /// The node with this number, counted from 1.
    pub(crate) fn new(number: u16) -> Self {
        Self(number)
    }

    /// The node's number, counted from 1.
    pub(crate) fn number(self) -> u16 {
        self.0
    }

    /// The nodes of a cluster of `count`.
    pub(crate) fn all(count: u16) -> impl Iterator<Item = Self> + Clone {
        (1..=count).map(Self)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl From<NodeId> for String {
    fn from(node: NodeId) -> Self {
        node.to_string()
    }
}

impl FromStr for NodeId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix('n').and_then(|digits| digits.parse().ok());
        match number {
            Some(number) if number > 0 => Ok(Self(number)),
            Some(_) | None => Err(format!("'{text}' is no node: nodes are n1, n2, …")),
        }
    }
}

impl TryFrom<String> for NodeId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
