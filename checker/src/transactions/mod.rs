//! The room for transactions of several operations: an Elle-class checker that infers the order of versions and looks
//! for typed cycles. It is not built yet; what is here is how such histories are recognised and refused.
//!
//! Histories of transactions are read and written losslessly ([`crate::formats`]); those of one operation each are
//! read as that operation on its key, which the list monitor decides.

/// The function of a transaction of several operations; its value is a list of `[f, key, value]`.
pub const FUNCTION: &str = "txn";

/// Why such a history cannot be judged.
pub(crate) const REFUSAL: &str =
    "transactions of several operations need a checker for transactions, which this one is not";
