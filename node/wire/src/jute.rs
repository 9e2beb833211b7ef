//! Jute's binary encoding: big-endian numbers, length-prefixed buffers, counted vectors, -1 for null.
//!
//! Records have no tags and no padding, so a reader must know what it reads. A length that is
//! negative, or larger than what is there, is an error and never an allocation.

use crate::ids::{ServerId, SessionId, Zxid};
use thiserror::Error;

/// Why bytes could not be read as the record that was expected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// The record goes on past the end of the bytes; more may come.
    #[error("the record is longer than the {available} bytes that are there")]
    Truncated {
        /// How many bytes were left where the read failed.
        available: usize,
    },
    /// A length field that no honest peer sends.
    #[error("a length of {0} is not possible here")]
    BadLength(i64),
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// A required field was null.
    #[error("{0} must not be null")]
    Null(&'static str),
    /// A code that stands for nothing known.
    #[error("{what} {code} is unknown")]
    UnknownCode {
        /// What the code was to name.
        what: &'static str,
        /// The code.
        code: i64,
    },
    /// Something else about the record cannot be.
    #[error("{0}")]
    Invalid(&'static str),
}

/// The most bytes that one string or buffer may have: twice `jute.maxbuffer`'s default, as
/// ZooKeeper's reader allows (maxbuffer plus the extra of the same size).
pub const MAX_BUFFER: usize = 2 * 0xf_ffff;

/// The types that can be written and read back.
pub trait Record: Sized {
    /// Appends the record to `out`.
    fn encode(&self, out: &mut Writer);

    /// Reads the record from the front of `input`.
    ///
    /// # Errors
    /// [`WireError`] when the bytes are not such a record.
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError>;

    /// The record as bytes of its own.
    fn to_vec(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.encode(&mut out);
        out.into_inner()
    }

    /// Reads a record that fills `bytes` up to, perhaps, a tail of newer fields, which is ignored.
    ///
    /// # Errors
    /// [`WireError`] when the bytes do not begin with such a record.
    fn from_slice(bytes: &[u8]) -> Result<Self, WireError> {
        Self::decode(&mut Reader::new(bytes))
    }
}

/// Collects encoded fields.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that goes on behind `out`.
    #[must_use]
    pub fn append_to(out: Vec<u8>) -> Self {
        Self { out }
    }

    /// What was written.
    #[must_use]
    pub fn into_inner(self) -> Vec<u8> {
        self.out
    }

    /// How many bytes were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// `int`
    pub fn int(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// `long`
    pub fn long(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// `boolean`
    pub fn boolean(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    /// A zxid as `long`.
    pub fn zxid(&mut self, value: Zxid) {
        self.out.extend_from_slice(&value.to_bits().to_be_bytes());
    }

    /// A server id as `long`.
    pub fn server(&mut self, value: ServerId) {
        self.long(value.0);
    }

    /// A session id as `long`.
    pub fn session(&mut self, value: SessionId) {
        self.long(value.0);
    }

    /// The length of something counted, as `int`.
    ///
    /// # Panics
    /// When it has more than `i32::MAX` elements, which no limit of ours allows.
    pub fn count(&mut self, len: usize) {
        self.int(i32::try_from(len).expect("every limit keeps counts below 2^31"));
    }

    /// `buffer`, null for `None`.
    pub fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.int(-1),
            Some(bytes) => {
                self.count(bytes.len());
                self.out.extend_from_slice(bytes);
            }
        }
    }

    /// `ustring`
    pub fn string(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    /// `vector` of records.
    pub fn vector<T: Record>(&mut self, items: &[T]) {
        self.count(items.len());
        for item in items {
            item.encode(self);
        }
    }

    /// `vector<ustring>`
    pub fn strings(&mut self, items: &[String]) {
        self.count(items.len());
        for item in items {
            self.string(item);
        }
    }

    /// Bytes that are encoded already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
}

/// Reads fields from the front of a slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    input: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of `input`.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        Self { input }
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.input
    }

    /// Whether everything has been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when there are fewer.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let Some((head, tail)) = self.input.split_at_checked(n) else {
            return Err(WireError::Truncated { available: self.input.len() });
        };
        self.input = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// `int`
    ///
    /// # Errors
    /// [`WireError::Truncated`]
    pub fn int(&mut self) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// `long`
    ///
    /// # Errors
    /// [`WireError::Truncated`]
    pub fn long(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// `boolean`; anything but 0 is true, as in Java's `DataInput`.
    ///
    /// # Errors
    /// [`WireError::Truncated`]
    pub fn boolean(&mut self) -> Result<bool, WireError> {
        Ok(self.array::<1>()? != [0])
    }

    /// A zxid from a `long`.
    ///
    /// # Errors
    /// [`WireError::Truncated`]
    pub fn zxid(&mut self) -> Result<Zxid, WireError> {
        Ok(Zxid::from_bits(u64::from_be_bytes(self.array()?)))
    }

    /// A server id from a `long`.
    ///
    /// # Errors
    /// [`WireError::Truncated`]
    pub fn server(&mut self) -> Result<ServerId, WireError> {
        Ok(ServerId(self.long()?))
    }

    /// A session id from a `long`.
    ///
    /// # Errors
    /// [`WireError::Truncated`]
    pub fn session(&mut self) -> Result<SessionId, WireError> {
        Ok(SessionId(self.long()?))
    }

    /// The count of a vector or length of a buffer; `None` for null.
    ///
    /// # Errors
    /// [`WireError`] when it is negative (but for -1) or over [`MAX_BUFFER`].
    pub fn count(&mut self) -> Result<Option<usize>, WireError> {
        match self.int()? {
            -1 => Ok(None),
            n => match usize::try_from(n) {
                Ok(n) if n <= MAX_BUFFER => Ok(Some(n)),
                Ok(_) | Err(_) => Err(WireError::BadLength(n.into())),
            },
        }
    }

    /// `buffer`
    ///
    /// # Errors
    /// [`WireError`]
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        match self.count()? {
            None => Ok(None),
            Some(n) => self.take(n).map(Some),
        }
    }

    /// `buffer` with its bytes copied.
    ///
    /// # Errors
    /// [`WireError`]
    pub fn owned_buffer(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        Ok(self.buffer()?.map(<[u8]>::to_vec))
    }

    /// `ustring` that may be null.
    ///
    /// # Errors
    /// [`WireError`]
    pub fn nullable_string(&mut self) -> Result<Option<String>, WireError> {
        match self.buffer()? {
            None => Ok(None),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_utf8) => Err(WireError::NotUtf8),
            },
        }
    }

    /// `ustring`; null reads as an error.
    ///
    /// # Errors
    /// [`WireError`]
    pub fn string(&mut self) -> Result<String, WireError> {
        self.nullable_string()?.ok_or(WireError::Null("a string"))
    }

    /// `vector` of records; null reads as empty.
    ///
    /// # Errors
    /// [`WireError`]
    pub fn vector<T: Record>(&mut self) -> Result<Vec<T>, WireError> {
        // No reservation by the count: a hostile count must not allocate.
        (0..self.count()?.unwrap_or(0)).map(|_| T::decode(self)).collect()
    }

    /// `vector<ustring>`; null reads as empty.
    ///
    /// # Errors
    /// [`WireError`]
    pub fn strings(&mut self) -> Result<Vec<String>, WireError> {
        (0..self.count()?.unwrap_or(0)).map(|_| self.string()).collect()
    }
}
