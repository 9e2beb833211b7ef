//! The leader while the run goes on: follows the growing trace files.
//!
//! For the nemesis (whom to hit) and the status line. It is a view, some 20 ms old; what really happened
//! is told afterwards from the whole traces ([`super::observe()`]).

use super::LeaderView;
use super::trace::{Lines, TraceEvent};
use crate::clock::RunClock;
use crate::cluster::NodeId;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How often the files are looked at.
const POLL: Duration = Duration::from_millis(20);

/// Follows the traces on a thread of its own until it is dropped.
#[derive(Debug)]
pub(crate) struct LeaderWatch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LeaderWatch {
    /// Follows these files, which need not exist yet. The receiver changes when the view does.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn spawn(
        traces: Vec<(NodeId, PathBuf)>,
        clock: RunClock,
    ) -> std::io::Result<(watch::Receiver<LeaderView>, Self)> {
        let (view, receiver) = watch::channel(LeaderView::default());
        let (stop, stopped) = channel();
        let mut files: Vec<Follow> = traces
            .into_iter()
            .map(|(node, path)| Follow { node, path, file: None, lines: Lines::default() })
            .collect();
        let follow = move || {
            let mut book = Book::default();
            loop {
                for file in &mut files {
                    let node = file.node;
                    file.read_on(clock, |event| book.note(node, event));
                }
                let now = book.view(process_is_gone);
                view.send_if_modified(|old| std::mem::replace(old, now) != now);
                match stopped.recv_timeout(POLL) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = std::thread::Builder::new().name("leader-watch".to_owned()).spawn(follow)?;
        Ok((receiver, Self { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for LeaderWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already printed; the view simply stopped changing.
            let _ = thread.join();
        }
    }
}

/// A trace file that is being read on.
struct Follow {
    node: NodeId,
    path: PathBuf,
    file: Option<File>,
    lines: Lines,
}

impl Follow {
    /// Hands over what was appended since. A file that cannot be read yet is tried again next time.
    fn read_on(&mut self, clock: RunClock, mut each: impl FnMut(&TraceEvent)) {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return };
        let mut bytes = Vec::new();
        if file.read_to_end(&mut bytes).is_ok() {
            self.lines.feed(&bytes, clock, |event| each(&event));
        }
    }
}

/// What the traces have said so far.
#[derive(Debug, Default)]
struct Book {
    /// The newest established epoch, its leader, and whether that leader still claims it.
    newest: Option<(u32, NodeId, bool)>,
    looking: BTreeMap<NodeId, bool>,
    pids: BTreeMap<NodeId, i64>,
}

impl Book {
    fn note(&mut self, node: NodeId, event: &TraceEvent) {
        match event.event.as_str() {
            "process.started" => {
                self.pids.extend(event.number("pid").map(|pid| (node, pid)));
                self.leaves(node);
            }
            "stepped_down" => self.leaves(node),
            "state" if event.is_looking() => self.leaves(node),
            "state" | "learner.newleader_acked" | "learner.serving" => {
                self.looking.insert(node, false);
            }
            "leader.established" => {
                self.looking.insert(node, false);
                if let Some(epoch) = event.epoch("epoch")
                    && self.newest.is_none_or(|(newest, _, _)| epoch >= newest)
                {
                    self.newest = Some((epoch, node, true));
                }
            }
            // The other transitions change no role.
            _ => {}
        }
    }

    fn leaves(&mut self, node: NodeId) {
        self.looking.insert(node, true);
        if let Some((_, leader, claims)) = &mut self.newest
            && *leader == node
        {
            *claims = false;
        }
    }

    /// The view; `gone` says whether the process of that id has ended.
    fn view(&self, gone: impl Fn(i64) -> bool) -> LeaderView {
        let Some((epoch, leader, claims)) = self.newest else { return LeaderView::default() };
        // A leader that all others have left still claims to lead while it is paused or cut off.
        let mut others = self.looking.iter().filter(|&(&node, _)| node != leader).peekable();
        let deserted = others.peek().is_some() && others.all(|(_, &looking)| looking);
        let dead = self.pids.get(&leader).is_some_and(|&pid| gone(pid));
        LeaderView { leader: (claims && !deserted && !dead).then_some(leader), epoch }
    }
}

/// Whether a process has ended: not in `/proc` any more, or a zombie that only waits to be reaped.
fn process_is_gone(pid: i64) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name stands in parentheses and may hold any character; the state follows the last one.
        Ok(stat) => {
            matches!(
                stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next()),
                Some('Z' | 'X')
            )
        }
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::election::script::{self, n};
    use std::io::Write as _;
    use std::time::Instant;

    fn book(lines: &[(NodeId, TraceEvent)]) -> Book {
        let mut book = Book::default();
        for (node, event) in lines {
            book.note(*node, event);
        }
        book
    }

    fn led_by_3() -> Vec<(NodeId, TraceEvent)> {
        let mut script = script::Script::new(3);
        script.start(1, 3);
        script.into_events()
    }

    fn alive(_: i64) -> bool {
        false
    }

    #[test]
    fn the_newest_established_epoch_is_shown_while_it_is_claimed() {
        assert_eq!(book(&[]).view(alive), LeaderView::default());
        let mut events = led_by_3();
        assert_eq!(book(&events).view(alive), LeaderView { leader: Some(n(3)), epoch: 1 });
        assert_eq!(book(&events).view(|_| true), LeaderView { leader: None, epoch: 1 }, "its process died");
        events.push((n(3), script::event(9_000, "stepped_down", &[("epoch", 1), ("leading", 1)])));
        assert_eq!(book(&events).view(alive), LeaderView { leader: None, epoch: 1 });
    }

    #[test]
    fn a_leader_whom_all_others_left_is_not_shown() {
        let mut events = led_by_3();
        events.push((n(1), script::looking(9_000)));
        assert_eq!(book(&events).view(alive).leader, Some(n(3)), "one follower is a hiccup");
        events.push((n(2), script::looking(9_001)));
        assert_eq!(book(&events).view(alive).leader, None);
    }

    #[test]
    fn an_older_epoch_never_replaces_a_newer_one() {
        let mut events = led_by_3();
        events.push((n(2), script::event(9_000, "leader.established", &[("epoch", 5)])));
        events.push((n(1), script::event(9_001, "leader.established", &[("epoch", 4)])));
        assert_eq!(book(&events).view(alive), LeaderView { leader: Some(n(2)), epoch: 5 });
    }

    #[test]
    fn own_process_is_there_and_pid_minus_one_is_not() {
        assert!(!process_is_gone(i64::from(std::process::id())));
        assert!(process_is_gone(-1));
    }

    #[tokio::test]
    async fn a_growing_file_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.jsonl");
        let clock = RunClock::start();
        let (mut view, watch) = LeaderWatch::spawn(vec![(n(1), path.clone())], clock).unwrap();
        let mut file = File::create(&path).unwrap();
        write!(file, "{{\"mono_ns\":{},\"event\":\"leader.est", clock.origin_ns() + 5).unwrap();
        write!(file, "ablished\",\"epoch\":7}}\n{{\"mono_").unwrap();
        let began = Instant::now();
        let deadline = Duration::from_secs(5);
        while view.borrow_and_update().epoch != 7 {
            tokio::time::timeout(deadline, view.changed()).await.expect("the line shows up in 5 s").unwrap();
            assert!(began.elapsed() < deadline, "the view changes to something else");
        }
        assert_eq!(view.borrow().leader, Some(n(1)));
        drop(watch);
    }
}
