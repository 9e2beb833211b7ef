//! Which rules of the search are on. All are; switching one off costs time, never the answer, which is
//! how tests hold each of them to its proof and how documents measure its worth.

/// The rules of the search, by the names used in [`engine`](crate::engine).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent switches is what this is")]
pub struct Rules {
    /// 1: operations that change nothing are linearized as soon as they fit.
    pub eager: bool,
    /// 2: overwritten updates stay optional, and take effect just before what overwrote them.
    pub gap: bool,
    /// 3: a configuration that another one can imitate is given up.
    pub dominance: bool,
    /// 4: of equal actions only the one that returns first is tried.
    pub symmetry: bool,
    /// 5: a value that is needed and has no source left is the end.
    pub supply: bool,
    /// 6: where states only grow, what cannot be reached is the end.
    pub reach: bool,
    /// 7: updates without return happen only if something needs them.
    pub lazy: bool,
    /// Not a matter of proof: likely steps first.
    pub order: bool,
}

impl Rules {
    /// Every rule.
    pub const ALL: Self = Self {
        eager: true,
        gap: true,
        dominance: true,
        symmetry: true,
        supply: true,
        reach: true,
        lazy: true,
        order: true,
    };

    /// None: just-in-time search with a table of visited configurations.
    pub const NONE: Self = Self {
        eager: false,
        gap: false,
        dominance: false,
        symmetry: false,
        supply: false,
        reach: false,
        lazy: false,
        order: false,
    };
}

impl Default for Rules {
    fn default() -> Self {
        Self::ALL
    }
}
