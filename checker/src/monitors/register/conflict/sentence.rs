//! Words for a proof.

use crate::Piece;

/// A sentence in pieces.
#[derive(Debug)]
pub(super) struct Sentence(pub(super) Vec<Piece>);

pub(super) fn text(words: &'static str) -> Piece {
    Piece::Text(words)
}

pub(super) fn op(id: u32) -> Piece {
    Piece::Op(id)
}

pub(super) fn returned(id: u32) -> Piece {
    Piece::Returned(id)
}

pub(super) fn called(id: u32) -> Piece {
    Piece::Called(id)
}

pub(super) fn value(value: u32) -> Piece {
    Piece::Value(value)
}

impl Sentence {
    pub(super) fn extend(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        self.0.extend(pieces);
    }

    /// "x replaced 1, then y replaced 2": compare-and-sets, and what they found.
    pub(super) fn replacements(&mut self, replaced: impl IntoIterator<Item = (u32, u32)>) {
        for (at, (id, old)) in replaced.into_iter().enumerate() {
            if at > 0 {
                self.0.push(text(", then "));
            }
            self.extend([op(id), text(" replaced "), value(old)]);
        }
    }
}
