//! Logs of real programs that run as uid 1000 under the restricted fields, recorded on
//! tests/cluster: the first obstacle of each is the one that stopped it.

#![allow(clippy::expect_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::{env, fs};

use nonroot::diagnosis::{Context, diagnose};

/// `nginx: mkdir EACCES /var/cache/nginx/client_temp unwritable-path`
fn told(name: &str, log: &[u8]) -> String {
    let first = diagnose(log, Context::default()).obstacles.into_iter().next();
    let told = first.map_or_else(String::new, |obstacle| {
        assert!(obstacle.fatal, "{name} died of its first obstacle");
        let place = obstacle.path.or(obstacle.port.map(|port| port.to_string()));
        let errno = obstacle.errno.map_or("-", |errno| errno.as_str());
        [
            obstacle.operation.as_str(),
            errno,
            place.as_deref().unwrap_or("-"),
            obstacle.category.as_str(),
        ]
        .join(" ")
    });
    format!("{name}: {told}\n")
}

#[test]
fn the_first_obstacle_of_each_program_is_named() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/programs");
    let entries = fs::read_dir(&cases).expect("the recorded logs");
    let mut logs: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    logs.sort();
    assert!(logs.len() >= 15, "the recorded logs are there");
    let name = |path: &Path| {
        path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let all: String =
        logs.iter().map(|path| told(&name(path), &fs::read(path).expect("a log"))).collect();
    let expected = cases.join("expected.txt");
    if env::var_os("UPDATE").is_some() {
        fs::write(&expected, &all).expect("it can be written");
    }
    assert_eq!(
        all,
        fs::read_to_string(&expected).unwrap_or_default(),
        "UPDATE=1 writes {}",
        expected.display()
    );
}
