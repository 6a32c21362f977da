//! Generated files equal what the code says; `UPDATE=1` writes them.

#![allow(clippy::expect_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::{env, fs};

fn generated(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("the file can be written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "{file} is stale: run UPDATE=1 cargo test --test docs");
}

#[test]
fn the_pages_of_obstacles_are_fresh() {
    generated("docs/obstacles.md", &nonroot::output::obstacles::document());
}
