//! The configurations of several images, side by side and within a time: a few kilobytes each, and
//! no layer.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Blobs, Platform, ReadOptions, Source};
use crate::error::Error;
use crate::model::image::Config;

/// Images that are asked for at a time.
const MAX_CONCURRENT_READS: usize = 8;

/// An image to ask for: what messages call it, where it is, and how to read it.
pub type Wanted = (String, Source, ReadOptions);

/// Reads the configuration of each image, in their order. What has not come within `limit` is an
/// error.
pub async fn configurations(wanted: Vec<Wanted>, limit: Duration) -> Vec<Result<Config, Error>> {
    let deadline = Instant::now() + limit;
    let late = |name: &str| {
        let why = format!("no answer came within {} s", limit.as_secs());
        Error::remote(format!("read the configuration of image {name}"), why)
    };
    let mut found: Vec<Result<Config, Error>> =
        wanted.iter().map(|(name, ..)| Err(late(name))).collect();
    let count = wanted.len();
    let (give, mut take) = tokio::sync::mpsc::unbounded_channel();
    // Threads and a runtime of their own: a registry that does not answer keeps nobody from going
    // on, and from ending.
    thread::spawn(move || {
        let Ok(runtime) =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
        else {
            return;
        };
        let queue = Mutex::new(wanted.into_iter().enumerate());
        thread::scope(|scope| {
            for _ in 0..MAX_CONCURRENT_READS.min(count) {
                scope.spawn(|| {
                    let _inside = runtime.enter();
                    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
                    while let Some((at, (name, source, options))) = next() {
                        if give.send((at, configuration(&name, &source, &options))).is_err() {
                            return;
                        }
                    }
                });
            }
        });
    });
    for _ in 0..count {
        let Ok(Some((at, read))) = timeout_at(deadline, take.recv()).await else { break };
        found[at] = read;
    }
    found
}

/// Within a tokio runtime, on a thread that may block.
fn configuration(name: &str, source: &Source, options: &ReadOptions) -> Result<Config, Error> {
    let fault = |why: String| Error::remote(format!("read the configuration of image {name}"), why);
    let platform = match &options.platform {
        Some(text) => {
            Platform::parse(text).ok_or_else(|| fault(format!("{text:?} is no platform")))?
        }
        None => Platform::here(),
    };
    let blobs = Blobs::open(source, options).map_err(fault)?;
    Ok(blobs.plan(source, &platform, options).map_err(fault)?.config.run())
}
