//! Panics: one that nobody expects is a bug of this tool and ends it as a harness failure; one inside a
//! simulated world is a finding, and is caught with its words.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use zab_sim::explore::THREADS as EXPLORERS;

/// A panic that nobody expected happened, in any task or thread.
static HAPPENED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// This thread does something that may panic.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
    /// What the expected panic said.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Watches for panics from now on.
pub(crate) fn watch() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if EXPECTED.get() {
            let payload = info.payload();
            let said = payload.downcast_ref::<&str>().copied();
            let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let said = said.unwrap_or("no words");
            let place =
                info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
            SAID.set(Some(format!("{said}{place}")));
            return;
        }
        // Those threads catch it themselves, and it is a finding.
        if thread::current().name() == Some(EXPLORERS) {
            return;
        }
        HAPPENED.store(true, Ordering::SeqCst);
        report(info);
    }));
}

/// Whether a panic that nobody expected happened.
pub(crate) fn happened() -> bool {
    HAPPENED.load(Ordering::SeqCst)
}

/// Does something that may panic; what it worked on must not be trusted afterwards.
///
/// # Errors
/// What the panic said, and where.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = EXPECTED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(before);
    done.map_err(|_payload| SAID.take().unwrap_or_else(|| "no words".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_what_is_explored_is_no_failure_of_the_tool() {
        watch();
        let explorer = thread::Builder::new().name(EXPLORERS.to_owned());
        assert!(explorer.spawn(|| panic!("the log has a gap")).unwrap().join().is_err());
        assert!(!happened());
    }

    #[test]
    fn a_caught_panic_is_no_failure_of_the_tool() {
        watch();
        assert_eq!(catch(|| 7), Ok(7));
        let said = catch(|| panic!("the log has a gap at {}", 5)).unwrap_err();
        assert!(said.starts_with("the log has a gap at 5 (src/panics.rs:"), "{said}");
        assert!(!happened());
    }
}
