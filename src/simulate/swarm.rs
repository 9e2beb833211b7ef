//! Many drawn worlds, one after the other or side by side, until one breaks a promise.
//!
//! Threads take seeds in turn; what they come to is told in the order of seeds, so that neither the output nor
//! the set of worlds that counts depends on how many threads there are. Only how fast it went does: that goes to
//! stderr.

use super::extras;
use super::tally::{End, Tally, WorldEnd, broken, drawn};
use crate::exit::Exit;
use crate::output::{self, Style};
use crate::panics;
use crate::plan::SwarmRequest;
use crate::report::format::{count, duration, per_second, rate};
use crate::run::Interrupt;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use zab_sim::Bug;
use zab_sim::run::{Options, Parameters, draw};

/// How often progress is told and the user listened to.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Plays the worlds that were asked for.
///
/// # Errors
/// When stdout cannot be written.
pub(crate) fn swarm(request: &SwarmRequest, style: Style, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    if let Some(script) = &request.script {
        return extras::play(script, request.trace);
    }
    if !request.json {
        output::print(&header(request))?;
    }
    if request.trace {
        output::print(&extras::diagram(&parameters(request, request.from), request.shrink))?;
    }
    let mut swarm = Swarm { request, tally: Tally::new(request), stopped: false, began: Instant::now() };
    let told = swarm.play(interrupt);
    told?;
    let interrupted = interrupt.is_asked() && swarm.tally.ran() < request.count && !swarm.stopped;
    let exit = swarm.tally.end(interrupted);
    let text = if request.json {
        serde_json::to_string_pretty(&swarm.tally).context("failed to render the summary as JSON")? + "\n"
    } else {
        format!("\n{}", swarm.tally.render(style))
    };
    swarm.tell_speed();
    output::print(&text)?;
    if interrupted {
        let (ran, all) = (count(swarm.tally.ran()), count(request.count));
        output::note(&format!("interrupted after {ran} of {all} seeds"));
    }
    Ok(exit)
}

/// What a seed draws, with the bug that is planted.
fn parameters(request: &SwarmRequest, seed: u64) -> Parameters {
    Parameters::draw(seed).with_bug(request.bug.as_deref().and_then(Bug::from_name))
}

/// What is printed before anything happens.
fn header(request: &SwarmRequest) -> String {
    let bug = request.bug.as_ref().map(|bug| format!(", planted bug {bug}")).unwrap_or_default();
    if request.named {
        return format!("seed   {}{bug}\n{}\n", request.from, drawn(&parameters(request, request.from)));
    }
    let last = request.from + (request.count - 1);
    format!("seeds  {} to {last}, a world each{bug}\n", request.from)
}

struct Swarm<'a> {
    request: &'a SwarmRequest,
    tally: Tally,
    /// At a broken world.
    stopped: bool,
    began: Instant,
}

impl Swarm<'_> {
    /// Plays all worlds, or those up to the first broken one, or up to where the user interrupts.
    fn play(&mut self, interrupt: &Interrupt) -> anyhow::Result<()> {
        let request = self.request;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = request.threads.unwrap_or(cores).min(usize::try_from(request.count).unwrap_or(cores));
        // The next world that nobody plays yet, and the first that is not to be played; both by number.
        let (next, limit) = (AtomicU64::new(0), AtomicU64::new(request.count));
        let (ended, ends) = channel();
        thread::scope(|scope| {
            for _ in 0..threads {
                let (ended, next, limit) = (ended.clone(), &next, &limit);
                scope.spawn(move || work(request, next, limit, &ended));
            }
            drop(ended);
            let mut waiting: BTreeMap<u64, WorldEnd> = BTreeMap::new();
            let told = loop {
                match ends.recv_timeout(LOOK_EVERY) {
                    Ok((number, world)) => {
                        waiting.insert(number, world);
                        if let Err(error) = self.take(&mut waiting) {
                            break Err(error);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break Ok(()),
                }
                self.tell_progress();
                if self.stopped || interrupt.is_asked() {
                    // Worlds under way end; lower numbers are all under way or done.
                    limit.store(0, Ordering::Relaxed);
                }
            };
            limit.store(0, Ordering::Relaxed);
            told
        })
    }

    /// Adds the worlds whose turn it is.
    fn take(&mut self, waiting: &mut BTreeMap<u64, WorldEnd>) -> anyhow::Result<()> {
        while !self.stopped
            && let Some(world) = waiting.remove(&self.tally.ran())
        {
            let parameters = parameters(self.request, world.seed);
            self.tally.add(&world, &parameters);
            if !matches!(world.end, End::Broken(..)) {
                continue;
            }
            self.stopped = !self.request.keep_going;
            self.tell_broken(&world, &parameters)?;
        }
        Ok(())
    }

    fn tell_broken(&self, world: &WorldEnd, parameters: &Parameters) -> anyhow::Result<()> {
        let SwarmRequest { bug, named, json, shrink, .. } = self.request;
        if *json {
            return Ok(());
        }
        self.wipe();
        output::print(&format!("\n{}", broken(world, parameters, bug.as_deref(), *named)))?;
        // Of many, the first is the one to look at.
        let short = if *shrink && self.stopped { extras::shrunk(parameters)? } else { None };
        if let Some(short) = short {
            output::print(&format!("\n{short}\n"))?;
        }
        Ok(())
    }

    /// One line that is written over, for people only.
    fn tell_progress(&self) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let (events, _) = self.tally.size();
        let took_ns = self.took_ns();
        output::live(&format!(
            "{} of {} seeds  {}  {} events  {} events/s",
            count(self.tally.ran()),
            count(self.request.count),
            duration(took_ns),
            count(events),
            rate(per_second(events, took_ns)).trim_end_matches("/s"),
        ));
    }

    fn wipe(&self) {
        if std::io::stderr().is_terminal() {
            output::live("");
        }
    }

    fn tell_speed(&self) {
        self.wipe();
        let took_ns = self.took_ns();
        let (events, virtual_us) = self.tally.size();
        output::note(&format!(
            "{} of virtual time in {}: {} times faster, {} events a second",
            duration(virtual_us * 1_000),
            duration(took_ns),
            count(virtual_us * 1_000 / took_ns.max(1)),
            rate(per_second(events, took_ns)).trim_end_matches("/s"),
        ));
    }

    fn took_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Plays worlds until there are no more.
fn work(request: &SwarmRequest, next: &AtomicU64, limit: &AtomicU64, ended: &Sender<(u64, WorldEnd)>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= limit.load(Ordering::Relaxed) {
            return;
        }
        let seed = request.from + number;
        let parameters = parameters(request, seed);
        let played = panics::catch(|| draw(&parameters, Options::default()));
        // Nobody listens any more when the output cannot be written.
        let _told = ended.send((number, WorldEnd::new(seed, played)));
    }
}
