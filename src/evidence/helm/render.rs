//! `helm template`, with a limit to its time and to what it prints.

use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::Error;

/// The most bytes that a chart may render to, and that its errors may have.
const MAX_OUTPUT: u64 = 64 << 20;
const MAX_ERRORS: u64 = 64 << 10;

/// The most of an error that is told.
const MAX_TOLD: usize = 400;

/// How long one rendering may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often it is looked whether it is done.
const PAUSE: Duration = Duration::from_millis(5);

/// How a chart is rendered.
#[derive(Debug, Clone)]
pub struct RenderOptions {
    pub chart: PathBuf,
    /// The release's name, and its namespace.
    pub release: String,
    pub namespace: String,
    /// Files of values.
    pub values: Vec<String>,
}

/// What `helm template` prints, with values over those of the files. Ends early where `stop` is
/// set.
///
/// # Errors
/// There is no `helm`, it refuses the chart or its values, or it takes too long.
pub fn rendered(options: &RenderOptions, over: &Value, stop: &AtomicBool) -> Result<String, Error> {
    let attempt = || format!("render the chart {}", options.chart.display());
    let mut command = Command::new("helm");
    command.arg("template").arg(&options.release).arg(&options.chart);
    command.arg("--namespace").arg(&options.namespace);
    for file in &options.values {
        command.arg("--values").arg(file);
    }
    command.args(["--values", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|why| match why.kind() {
        std::io::ErrorKind::NotFound => Error::input(attempt(), "there is no helm in PATH").help(
            "install Helm, or render it elsewhere: helm template CHART | kubectl nonroot fix -f -",
        ),
        _ => Error::input(attempt(), format!("helm cannot be started: {why}")),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        let values = over.to_string();
        // It goes on while what is printed is read; who does not read it fails by itself.
        thread::spawn(move || stdin.write_all(values.as_bytes()));
    }
    let output = reader(child.stdout.take(), MAX_OUTPUT);
    let errors = reader(child.stderr.take(), MAX_ERRORS);
    let is_good = awaited(&mut child, stop).map_err(|why| Error::input(attempt(), why))?;
    let text = |thread: thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    let (output, errors) = (text(output), text(errors));
    if !is_good {
        return Err(Error::input(attempt(), told(&String::from_utf8_lossy(&errors))));
    }
    if output.len() as u64 > MAX_OUTPUT {
        let why = format!("it renders to more than {} MiB", MAX_OUTPUT >> 20);
        return Err(Error::input(attempt(), why));
    }
    String::from_utf8(output).map_err(|_| Error::input(attempt(), "it renders to no UTF-8 text"))
}

/// Reads a stream to its end, and keeps no more than this of it.
fn reader(stream: Option<impl Read + Send + 'static>, most: u64) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.by_ref().take(most + 1).read_to_end(&mut kept);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        kept
    })
}

/// Waits for a child: whether it ended well, or why it was ended.
fn awaited(child: &mut Child, stop: &AtomicBool) -> Result<bool, String> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if stop.load(Ordering::Relaxed) => {
                end(child);
                return Err("it was interrupted".to_owned());
            }
            Ok(None) if started.elapsed() > TIMEOUT => {
                end(child);
                return Err(format!("helm took more than {} seconds", TIMEOUT.as_secs()));
            }
            Ok(None) => thread::sleep(PAUSE),
            Err(why) => return Err(why.to_string()),
        }
    }
}

fn end(child: &mut Child) {
    // One that has ended by itself meanwhile needs no end.
    let _ = child.kill();
    let _ = child.wait();
}

/// What helm says is wrong, in one line.
fn told(errors: &str) -> String {
    let at = errors.find("Error: ").map_or(0, |at| at + "Error: ".len());
    let words = errors[at..].lines().map(str::trim).filter(|line| !line.is_empty());
    let words = words.filter(|line| !line.starts_with("Use --debug"));
    let line = words.collect::<Vec<_>>().join(" ");
    match line.chars().count() > MAX_TOLD {
        true => line.chars().take(MAX_TOLD).chain(['…']).collect(),
        false if line.is_empty() => "helm failed and said nothing".to_owned(),
        false => line,
    }
}
