//! Where the ranges of ports begin.

/// The sysctl that names the first port which anybody may bind (ip(7)). Each network namespace has
/// its own.
pub const UNPRIVILEGED_PORT_SYSCTL: &str = "net.ipv4.ip_unprivileged_port_start";

/// The first port that needs no privilege in a new network namespace
/// (`net.ipv4.ip_unprivileged_port_start`, ip(7); `PROT_SOCK` of Linux's include/net/sock.h).
pub const FIRST_UNPRIVILEGED: u16 = 1024;

/// The first port that Linux chooses by itself (`net.ipv4.ip_local_port_range`, ip(7)).
pub const FIRST_EPHEMERAL: u16 = 32_768;

/// Whether it takes NET_BIND_SERVICE to bind a port in a new network namespace. Port 0 is any free
/// port.
#[must_use]
pub fn is_privileged(port: u16) -> bool {
    (1..FIRST_UNPRIVILEGED).contains(&port)
}
