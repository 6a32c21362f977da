//! Generated files equal what the code says; `UPDATE=1` writes them.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a panic is how a test fails")]

// Each test uses its part of it.
#[allow(dead_code, unreachable_pub)]
#[path = "image/build.rs"]
mod build;

use std::path::Path;
use std::{env, fs};

use build::{LayerTar, config, docker_archive};

fn generated(file: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("the file can be written");
    }
    let there = fs::read(&path).unwrap_or_default();
    assert!(there == text, "{file} is stale: run UPDATE=1 cargo test --test docs");
}

#[test]
fn the_pages_of_obstacles_are_fresh() {
    generated("docs/obstacles.md", nonroot::output::obstacles::document().as_bytes());
}

/// A web server as its maintainers package it: started by root, with a user of its own that was given nothing.
#[test]
fn the_image_of_the_examples_is_fresh() {
    const ROOT: (u64, u64) = (0, 0);
    /// `security.capability` of `cap_net_raw=ep`.
    const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let base = LayerTar::default()
        .directory("etc/", 0o755, ROOT)
        .file("etc/passwd", 0o644, ROOT, b"root:x:0:0:root:/root:/bin/sh\n")
        .file("etc/group", 0o644, ROOT, b"root:x:0:\nadm:x:4:\n")
        .file("etc/shadow", 0o640, (0, 42), b"root:*:20000::::::\n")
        .directory("run/", 0o755, ROOT)
        .directory("tmp/", 0o1777, ROOT)
        .file("usr/bin/sh", 0o755, ROOT, b"\x7fELF sh")
        .records(&[("SCHILY.xattr.security.capability", NET_RAW.as_slice())])
        .file("usr/bin/ping", 0o755, ROOT, b"\x7fELF ping")
        .symlink("var/run", "/run");
    let install = LayerTar::default()
        .file("etc/passwd", 0o644, ROOT, b"root:x:0:0:root:/root:/bin/sh\nnginx:x:101:102::/nonexistent:/bin/false\n")
        .file("etc/group", 0o644, ROOT, b"root:x:0:\nadm:x:4:nginx\nnginx:x:102:\n")
        .file("etc/nginx/nginx.conf", 0o644, ROOT, b"pid /run/nginx.pid;\n")
        .file("usr/sbin/nginx", 0o755, ROOT, b"\x7fELF nginx")
        .directory("var/cache/nginx/", 0o755, ROOT)
        .directory("var/log/nginx/", 0o750, (0, 4))
        .symlink("var/log/nginx/error.log", "/dev/stderr");
    let layers = [base.build(), install.build()];
    let run = serde_json::json!({
        "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/usr/sbin:/usr/bin"], "Cmd": ["nginx", "-g", "daemon off;"],
    });
    let config = config(run, &layers, &["ADD base.tar /", "RUN apt-get install -y nginx"]);
    generated("examples/web.tar", &docker_archive(&config, &layers));
}
