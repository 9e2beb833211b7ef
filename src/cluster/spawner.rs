//! The one thread that spawns all processes of a cluster.
//!
//! A node asks the kernel to be killed when its parent dies (PR_SET_PDEATHSIG). The kernel means the parent
//! *thread*: were nodes spawned from a pool's worker, they would die whenever that worker retires.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// How a process is started.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    /// The executable.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<OsString>,
    /// Its working directory.
    pub(super) folder: PathBuf,
    /// Where stdout and stderr are appended.
    pub(super) log: PathBuf,
}

/// The thread. It ends when this is dropped, and processes that asked for it die with it.
#[derive(Debug)]
pub(super) struct Spawner {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    launch: Launch,
    reply: mpsc::Sender<io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start() -> io::Result<Self> {
        let (requests, received) = mpsc::channel::<Request>();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for request in received {
                // Who asked waits for the answer, so it is there.
                let _ = request.reply.send(spawn(&request.launch));
            }
        })?;
        Ok(Self { requests })
    }

    /// Spawns a process from the thread.
    ///
    /// # Errors
    /// When the process cannot be spawned or its log not opened.
    pub(super) fn spawn(&self, launch: &Launch) -> io::Result<Child> {
        let (reply, answer) = mpsc::channel();
        let gone = || io::Error::other("the spawner thread has ended");
        self.requests.send(Request { launch: launch.clone(), reply }).map_err(|_unsent| gone())?;
        answer.recv().map_err(|_closed| gone())?
    }
}

fn spawn(launch: &Launch) -> io::Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(&launch.log)?;
    Command::new(&launch.program)
        .args(&launch.arguments)
        .current_dir(&launch.folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Its own group: Ctrl-C at the terminal is for the tool, which then ends its nodes in order.
        .process_group(0)
        .spawn()
}
