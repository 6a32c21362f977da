//! Any bytes as an image's archive: no panic, and an end.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nonroot::evidence::image::layer::Limits;
use nonroot::evidence::image::{ReadOptions, Source, read};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
});

fuzz_target!(|bytes: &[u8]| {
    let file = format!("/dev/shm/nonroot-fuzz-{}.tar", std::process::id());
    fs::write(&file, bytes).expect("a file in memory");
    let limits = Limits { memory: 4 << 20, bytes: 16 << 20, ..Limits::default() };
    let options = ReadOptions { limits, ..ReadOptions::default() };
    let _ = RUNTIME.block_on(read(&file, Source::Archive(file.clone().into()), options));
});
