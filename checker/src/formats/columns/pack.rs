//! One column of numbers in as few bytes as its range needs.
//!
//! A column is a byte `width` (0 to 8), the smallest number (8 bytes), and for each number what it exceeds the
//! smallest by, in `width` bytes. All of it little-endian. How many numbers there are is said elsewhere.

/// Numbers that go up and down, as numbers that are small when those are near 0.
pub(super) fn zigzag(n: i64) -> u64 {
    (n << 1 ^ (n >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(super) fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -(n & 1).cast_signed()
}

/// Appends a column. At least `least` bytes a number: a reader that must make room for each of them can then
/// rely on the length of the file.
pub(super) fn pack(out: &mut Vec<u8>, least: u8, column: &[u64]) {
    let (min, max) = column.iter().fold((u64::MAX, 0), |(min, max), &n| (min.min(n), max.max(n)));
    let range = max.saturating_sub(min);
    let width = (1_u8..=8).rev().find(|width| range >> (8 * (width - 1)) != 0).unwrap_or(0).max(least);
    let min = min.min(max);
    out.push(width);
    out.extend_from_slice(&min.to_le_bytes());
    match width {
        0 => {}
        1 => fixed::<1>(out, min, column),
        2 => fixed::<2>(out, min, column),
        3 => fixed::<3>(out, min, column),
        4 => fixed::<4>(out, min, column),
        5 => fixed::<5>(out, min, column),
        6 => fixed::<6>(out, min, column),
        7 => fixed::<7>(out, min, column),
        _ => fixed::<8>(out, min, column),
    }
}

fn fixed<const W: usize>(out: &mut Vec<u8>, min: u64, column: &[u64]) {
    let start = out.len();
    out.resize(start + column.len() * W, 0);
    for (place, n) in out[start..].as_chunks_mut::<W>().0.iter_mut().zip(column) {
        place.copy_from_slice(&(n - min).to_le_bytes()[..W]);
    }
}

/// Reads columns off a block. `None` from any of its methods: the block is no block of ours.
pub(super) struct Unpack<'a> {
    bytes: &'a [u8],
}

impl<'a> Unpack<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes left.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True when nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// So many bytes.
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    /// A number of four bytes.
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// A number of eight bytes.
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// A column of `count` numbers into `column`, which is emptied first.
    pub(super) fn column(&mut self, least: u8, count: usize, column: &mut Vec<u64>) -> Option<()> {
        let width = *self.take(1)?.first()?;
        let min = self.u64()?;
        if width < least || width > 8 {
            return None;
        }
        let bytes = self.take(count.checked_mul(usize::from(width))?)?;
        column.clear();
        match width {
            0 => column.resize(count, min),
            1 => column.extend(bytes.iter().map(|&byte| min.wrapping_add(u64::from(byte)))),
            2 => wide::<2>(column, min, bytes),
            3 => wide::<3>(column, min, bytes),
            4 => wide::<4>(column, min, bytes),
            5 => wide::<5>(column, min, bytes),
            6 => wide::<6>(column, min, bytes),
            7 => wide::<7>(column, min, bytes),
            _ => wide::<8>(column, min, bytes),
        }
        Some(())
    }
}

fn wide<const W: usize>(column: &mut Vec<u64>, min: u64, bytes: &[u8]) {
    column.extend(bytes.as_chunks::<W>().0.iter().map(|chunk| {
        let mut word = [0; 8];
        word[..W].copy_from_slice(chunk);
        min.wrapping_add(u64::from_le_bytes(word))
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zigzag_keeps_small_numbers_small() {
        assert_eq!([0, -1, 1, -2].map(zigzag), [0, 1, 2, 3]);
        assert!([i64::MIN, i64::MAX, -7, 0].into_iter().all(|n| unzigzag(zigzag(n)) == n));
    }

    #[test]
    fn width_follows_the_range() {
        let width = |numbers: &[u64], least| {
            let mut out = Vec::new();
            pack(&mut out, least, numbers);
            (out[0], out.len())
        };
        assert_eq!(width(&[], 0), (0, 9));
        assert_eq!(width(&[7, 7, 7], 0), (0, 9));
        assert_eq!(width(&[7, 7, 7], 1), (1, 12));
        assert_eq!(width(&[1 << 40, (1 << 40) + 255], 0), (1, 11));
        assert_eq!(width(&[0, 256], 0), (2, 13));
        assert_eq!(width(&[0, u64::MAX], 0), (8, 25));
    }

    proptest! {
        #[test]
        fn columns_come_back(numbers in prop_oneof![
            prop::collection::vec(any::<u64>(), 0..50),
            prop::collection::vec(0_u64..1 << 20, 0..50),
            prop::collection::vec(u64::MAX - 100..=u64::MAX, 0..50),
        ], least in 0_u8..2) {
            let mut out = Vec::new();
            pack(&mut out, least, &numbers);
            let mut column = Vec::new();
            let mut unpack = Unpack::new(&out);
            prop_assert_eq!(unpack.column(least, numbers.len(), &mut column), Some(()));
            prop_assert!(unpack.is_empty());
            prop_assert_eq!(&column, &numbers);
            let mut short = Unpack::new(&out[..out.len() - 1]);
            prop_assert_eq!(short.column(least, numbers.len(), &mut column), None);
        }
    }
}
