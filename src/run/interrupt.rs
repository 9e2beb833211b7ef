//! Ctrl-C and SIGTERM. The first asks for an early, orderly end: heal, check what was recorded, report. The
//! second ends the tool at once, and the nodes with it.

use crate::exit::Exit;
use crate::output;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the user wants it to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens from now on. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminations.recv() => {}
                }
                if ask.send_replace(true) {
                    // No destructor runs: the nodes see that their parent is gone, and end.
                    std::process::exit(Exit::Harness.status().into());
                }
                output::note("interrupted: healing and checking what was recorded (again: end at once)");
            }
        });
        Ok(Self { asked })
    }

    /// Whether it was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Waits until it is asked for; for ever if it never is.
    pub(crate) async fn asked(&mut self) {
        if self.asked.wait_for(|&asked| asked).await.is_err() {
            std::future::pending().await
        }
    }
}
