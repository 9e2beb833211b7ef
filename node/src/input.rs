//! What the ports, the disk and the clients put into the loop's queue.

use crate::four_letter::Word;
use zab_core::{ClientId, Event};

/// What reaches the loop.
#[derive(Debug)]
pub(crate) enum Input {
    /// For the core.
    Event(Event),
    /// A client asks a four-letter word.
    Word {
        /// Who.
        client: ClientId,
        /// What.
        word: Word,
    },
}
