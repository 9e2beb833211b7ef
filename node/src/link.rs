//! A TCP connection as the loop sees it: bytes go into an [`Outbox`], and a task of the connection's own
//! writes everything that is there in one go. Nothing here knows what the bytes mean.
//!
//! All of this lives on one thread, so that a message costs no lock and no task, and a batch of
//! messages one system call.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use zab_wire::jute::Writer;

/// Buffers that grew beyond this are given back when they are empty.
const KEPT_CAPACITY: usize = 1 << 20;
/// How long a connection that is being finished may take to write what is left and see the other
/// side's end.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// A task that ends with its owner.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Task {
    /// Starts `future` on this thread.
    pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> Self {
        Self(tokio::task::spawn_local(future))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is to be written to a connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: RefCell<Vec<u8>>,
    /// Taken by the writer and not yet (all) written.
    in_flight: Cell<usize>,
    closing: Cell<bool>,
    wake: Notify,
}

impl Outbox {
    /// Adds what `encode` writes. The writer runs when the loop next waits.
    pub(crate) fn push(&self, encode: impl FnOnce(&mut Writer)) {
        let mut queue = self.queue.borrow_mut();
        let mut writer = Writer::append_to(std::mem::take(&mut *queue));
        encode(&mut writer);
        *queue = writer.into_inner();
        self.wake.notify_one();
    }

    /// How many bytes the kernel has not taken yet.
    pub(crate) fn len(&self) -> usize {
        self.queue.borrow().len() + self.in_flight.get()
    }

    /// Writes until [`Link::finish`] or an error.
    async fn write_to(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            std::mem::swap(&mut buffer, &mut *self.queue.borrow_mut());
            if buffer.is_empty() {
                if self.closing.get() {
                    return stream.shutdown().await;
                }
                self.wake.notified().await;
                continue;
            }
            self.in_flight.set(buffer.len());
            stream.write_all(&buffer).await?;
            self.in_flight.set(0);
            buffer.clear();
            if buffer.capacity() > KEPT_CAPACITY {
                buffer = Vec::new();
            }
        }
    }
}

/// A connection with a task for each direction; dropping it ends both and with them the connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// Where messages go.
    pub(crate) outbox: Rc<Outbox>,
    reader: Task,
    writer: Task,
}

impl Link {
    /// Reads with `read` (a future over the reading half) and writes what comes into the outbox.
    /// `down` is called when reading ends or writing fails.
    pub(crate) fn start<F>(
        stream: TcpStream,
        read: impl FnOnce(OwnedReadHalf) -> F,
        down: impl Fn() + Clone + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let (reading, mut writing) = stream.into_split();
        let outbox = Rc::new(Outbox::default());
        let reading = read(reading);
        let reader_down = down.clone();
        let queue = outbox.clone();
        Self {
            outbox,
            reader: Task::spawn(async move {
                reading.await;
                reader_down();
            }),
            writer: Task::spawn(async move {
                if queue.write_to(&mut writing).await.is_err() {
                    down();
                }
                // The writing half sends a FIN when it is dropped, and must not before.
            }),
        }
    }

    /// Writes what is left, says goodbye, and goes away in the background.
    ///
    /// The reader goes on until the other side closes too: closing a socket with unread bytes sends a
    /// RST, which can destroy the answer on its way.
    pub(crate) fn finish(self) {
        self.outbox.closing.set(true);
        self.outbox.wake.notify_one();
        drop(tokio::task::spawn_local(async move {
            let Self { outbox: _outbox, mut reader, mut writer } = self;
            let both = async {
                // An aborted or failed task is as finished as any.
                let _ended = (&mut writer.0).await;
                let _ended = (&mut reader.0).await;
            };
            let _in_time = tokio::time::timeout(FINISH_TIMEOUT, both).await;
        }));
    }
}
