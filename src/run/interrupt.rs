//! Ctrl-C and SIGTERM. The first asks for an early, orderly end: heal, check what was recorded, report. The
//! second ends the tool at once, and the nodes with it.

use crate::exit::Exit;
use crate::output;
use crate::store::RunDir;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// What a run answers to the first Ctrl-C.
pub(crate) const INTERRUPTED: &str =
    "interrupted: healing and checking what was recorded (again: end at once)";

/// Whether the user wants it to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
    /// The run that goes on, to be told why it has no results when it is ended at once.
    run: Arc<Mutex<Option<RunDir>>>,
}

impl Interrupt {
    /// Listens from now on and answers the first signal with a sentence. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub(crate) fn listen(sentence: &'static str) -> std::io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let (ask, asked) = watch::channel(false);
        let run = Arc::new(Mutex::new(None));
        let current = Arc::clone(&run);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminations.recv() => {}
                }
                if ask.send_replace(true) {
                    end_at_once(&current);
                    // No destructor runs: the kernel kills the nodes, whose parent is gone.
                    std::process::exit(Exit::Harness.status().into());
                }
                output::note(sentence);
            }
        });
        Ok(Self { asked, run })
    }

    /// Names the run that goes on; `None` between runs.
    pub(crate) fn goes_on(&self, run: Option<&RunDir>) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = run.cloned();
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

fn end_at_once(run: &Mutex<Option<RunDir>>) {
    let run = run.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(run) = run.filter(|run| !run.has_results()) {
        // Nobody is left to be told that this failed too.
        let _ = run.save_failure("interrupted twice, and so ended at once");
    }
    output::note("ended at once; nothing is left running");
}
