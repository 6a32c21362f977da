//! Ports that take a privilege.

/// The sysctl that names the first port which anybody may bind (ip(7)). It is of each network
/// namespace.
pub const UNPRIVILEGED_PORT_SYSCTL: &str = "net.ipv4.ip_unprivileged_port_start";

/// Its value in a new network namespace: `PROT_SOCK` of Linux's `include/net/sock.h`.
pub const FIRST_UNPRIVILEGED_PORT: u16 = 1024;

/// Whether it takes NET_BIND_SERVICE to bind a port where the sysctl has its default. Port 0 is any
/// free port.
#[must_use]
pub fn is_privileged(port: u16) -> bool {
    (1..FIRST_UNPRIVILEGED_PORT).contains(&port)
}
