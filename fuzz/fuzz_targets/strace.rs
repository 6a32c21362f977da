//! A trace of any bytes: no panic, every line counted once, and the same in pieces of any size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nonroot::diagnosis::Context;
use nonroot::diagnosis::trace::Trace;
use nonroot::evidence::strace::Strace;

fuzz_target!(|text: &[u8]| {
    let read = |size: usize| {
        let (mut strace, mut trace) = (Strace::default(), Trace::new(Context::default()));
        text.chunks(size).for_each(|piece| strace.feed(piece, &mut |event| trace.take(event)));
        let lines = strace.finish(&mut |event| trace.take(event));
        (lines, trace.finish())
    };
    let (lines, traced) = read(text.len().max(1));
    let kinds = [
        lines.calls,
        lines.unfinished,
        lines.resumed,
        lines.signals,
        lines.ends,
        lines.notes,
        lines.empty,
        lines.unknown,
    ];
    assert_eq!(kinds.iter().sum::<u64>(), lines.total);
    assert_eq!(read(7), (lines, traced));
});
