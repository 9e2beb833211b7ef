//! Work split by key: calls grouped, keys checked side by side.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::history::{History, Outcome};

/// The calls of each key (a history without keys has the one key ""), in order of invocation; keys by name.
/// Calls that failed are left out.
pub(crate) fn by_key(history: &History) -> Vec<(&str, Vec<u32>)> {
    let columns = &history.columns;
    let counts = |id: &u32| columns.outcome[*id as usize] != Outcome::Fail;
    let mut sizes = vec![0_usize; history.names.count()];
    for id in history.ids().filter(counts) {
        sizes[columns.key[id as usize] as usize] += 1;
    }
    let mut groups: Vec<Vec<u32>> = sizes.iter().map(|&size| Vec::with_capacity(size)).collect();
    for id in history.ids().filter(counts) {
        groups[columns.key[id as usize] as usize].push(id);
    }
    let named = (0..).zip(groups).filter(|(_, calls)| !calls.is_empty());
    let mut groups: Vec<(&str, Vec<u32>)> =
        named.map(|(key, calls)| (history.names.name(key), calls)).collect();
    groups.sort_unstable_by_key(|&(key, _)| key);
    groups
}

/// Applies `work` to each item on several threads (0: one per core); results in the items' order.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = threads_of(threads).min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<R>>> = Mutex::new(items.iter().map(|_| None).collect());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, item)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    items.get(at).map(|item| (at, item))
                } {
                    let result = work(item);
                    results.lock().expect("no thread panics while it holds the lock")[at] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("no thread panics while it holds the lock");
    results.into_iter().map(|r| r.expect("the scope ends when every item was worked on")).collect()
}

/// So many threads; 0 means one per core.
pub(crate) fn threads_of(threads: usize) -> usize {
    if threads == 0 { thread::available_parallelism().map_or(1, usize::from) } else { threads }
}
