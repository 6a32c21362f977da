//! The same for each of many, on all processors.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many a thread takes at a time: so few that all end at nearly the same time, so many that
/// they seldom meet.
const BATCH: usize = 16;

/// Bytes of a thread's stack, as the main thread has it: a document may be nested deeply.
const STACK: usize = 8 << 20;

/// What becomes of each, in order.
pub(super) fn each<T: Sync, R: Send>(all: &[T], make: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads =
        thread::available_parallelism().map_or(1, usize::from).min(all.len().div_ceil(BATCH));
    if threads < 2 {
        return all.iter().map(make).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::new();
        loop {
            let start = next.fetch_add(BATCH, Ordering::Relaxed);
            let some = all.iter().skip(start).take(BATCH);
            if some.len() == 0 {
                return made;
            }
            made.push((start, some.map(&make).collect::<Vec<R>>()));
        }
    };
    let mut made = thread::scope(|scope| {
        // A thread that cannot be had is done without.
        let start = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).filter_map(start).collect();
        let mut made = work();
        for other in others {
            made.extend(other.join().unwrap_or_else(|cause| panic::resume_unwind(cause)));
        }
        made
    });
    made.sort_unstable_by_key(|(start, _)| *start);
    made.into_iter().flat_map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_order_stays() {
        for count in [0, 1, 15, 16, 17, 1000] {
            let all: Vec<usize> = (0..count).collect();
            assert_eq!(super::each(&all, |one| *one), all);
        }
    }
}
