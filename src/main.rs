//! Installs the TLS provider, parses, dispatches, maps the result to an exit code: nothing else.

fn main() {}
