//! Where the ranges of ports begin.

/// The first port that needs no privilege in a new network namespace
/// (`net.ipv4.ip_unprivileged_port_start`, ip(7); `PROT_SOCK` of Linux's include/net/sock.h).
pub const FIRST_UNPRIVILEGED: u16 = 1024;

/// The first port that Linux chooses by itself (`net.ipv4.ip_local_port_range`, ip(7)).
pub const FIRST_EPHEMERAL: u16 = 32_768;
