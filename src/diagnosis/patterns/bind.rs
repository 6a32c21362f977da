//! bind(2) refused: a port below `net.ipv4.ip_unprivileged_port_start`, or the directory of a Unix
//! socket.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Pattern, Read};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::reader::{
    categorize, context::LineContext, errno::compile, path, port, verb,
};
use crate::model::capability::Capability;
use crate::model::obstacle::{Category, Errno, Operation};
use crate::model::port::FIRST_UNPRIVILEGED;

pub(super) const PATTERN: Pattern = Pattern {
    id: "bind",
    title: "a port or a socket could not be bound",
    explain: "Ports below `net.ipv4.ip_unprivileged_port_start`, by default 1024, are for processes with \
              CAP_NET_BIND_SERVICE. A Unix socket is a file: binding it needs write permission on its directory.",
    source: "bind(2), ip(7), unix(7); Go net, nginx ngx_connection.c, Apache AH00072, gunicorn sock.py",
    signals: &[
        "can't connect to (",
        "unable to bind",
        "failed to bind",
        "could not bind",
        "cannot bind",
        "can't bind",
        "interface ignored",
    ],
    examples: &[
        Example {
            log: "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
            expected: "bind EACCES 80 privileged-port",
        },
        Example {
            log: "(13)Permission denied: AH00072: make_sock: could not bind to address [::]:80",
            expected: "bind EACCES 80 privileged-port",
        },
        Example {
            log: "Error: listen tcp :443: bind: permission denied",
            expected: "bind EACCES 443 privileged-port",
        },
        Example {
            log: "Error: listen EACCES: permission denied 0.0.0.0:80",
            expected: "bind EACCES 80 privileged-port",
        },
        Example {
            log: "dnsmasq: failed to create listening socket for port 53: Permission denied",
            expected: "bind EACCES 53 privileged-port",
        },
        Example {
            log: "Could not open time socket on 0.0.0.0:123",
            expected: "bind - 123 privileged-port",
        },
        Example {
            log: "[ERROR] Can't connect to ('0.0.0.0', 80)",
            expected: "bind - 80 privileged-port",
        },
        Example {
            log: "[ALERT] (1) : Binding [/etc/h.cfg:5] for frontend GLOBAL: cannot bind UNIX socket (Permission denied) [/run/h/admin.sock]",
            expected: "bind EACCES /run/h/admin.sock unwritable-path",
        },
        Example {
            log: "  File \"/usr/lib/python3.11/socketserver.py\", line 472, in server_bind\n    self.socket.bind(self.server_address)\nPermissionError: [Errno 13] Permission denied",
            expected: "bind EACCES privileged-port",
        },
    ],
    near_misses: &[
        "Error: listen EACCES: permission denied 0.0.0.0:3000",
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
        "listen tcp :8080: bind: address already in use",
        "bind: Cannot assign requested address 10.0.0.1:80",
    ],
    read: Read::One(read),
};

fn read(context: &LineContext) -> Option<Finding> {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        verb::any_of(&[
            r"bind(?:s|ing|v6only|ed)?",
            r"listen(?:ing|er|ers)?(?: socket)?(?: on)?",
            r"make_sock",
            r"(?:start|open|creat(?:e|ing)|init\w*)(?:ing)?(?: \w+){0,3} (?:listener|(?:tcp|udp|server|listening|unix|http) socket|server|ports)(?: on| for)?",
            r"server_bind",
            r"serve",
            r"add command channel",
            r"(?:[\w.]+\.)?socketexception(?: \(13\))?",
            r"(?:[\w.]+\.)?bindexception",
            r"tcp_listen",
            r"open(?:ing)? (?:tcp|udp)6?",
            r"tcp port",
            r"udp port",
            r"connection to \(",
        ])
    });
    // A bind mount is a mount.
    static MOUNT: LazyLock<Regex> = LazyLock::new(|| compile(r#"(?i)\btype"?[:=] ?"?bind\b"#));
    if MOUNT.is_match(context.text()) {
        return None;
    }
    if context.refusal().is_none() {
        return without_errno(context);
    }
    let verb = context.verb(&WORDS, Operation::Bind)?;
    let errno = context.refusal()?.errno;
    let finding =
        |category| Finding::new(Operation::Bind, category).errno(errno).confidence(verb.confidence);
    let port = port::ports(context.text())
        .find(|(_, at)| *at >= verb.end)
        .or_else(|| port::ports(context.text()).last());
    // Other ports need no privilege: a security module, a sandbox or another system refused it.
    if port.is_some_and(|(port, _)| port >= FIRST_UNPRIVILEGED) {
        return None;
    }
    if let Some((port, _)) = port {
        return Some(
            finding(Category::PrivilegedPort)
                .port(Some(port))
                .capability(Capability::NET_BIND_SERVICE),
        );
    }
    // `failed to bind service; nested: AccessDeniedException[/srv/x]`: the exception is not about the
    // socket.
    let is_exception = context.text()[..context.refusal()?.span.end].ends_with("Exception");
    if is_exception && !is_unix(context.text()) {
        return None;
    }
    if let Some(path) = context
        .object(verb)
        .or_else(|| socket_nearby(context))
        .filter(|path| path.contains('/') && is_socket(context.text(), path))
    {
        let access = categorize::PathAccess {
            operation: Operation::Bind,
            errno: Some(errno),
            path: Some(&path),
            text: context.text(),
        };
        return Some(categorize::finding(&access).confidence(verb.confidence));
    }
    if errno == Errno::Erofs || is_unix(context.text()) {
        let path = socket_nearby(context);
        let access = categorize::PathAccess {
            operation: Operation::Bind,
            errno: Some(errno),
            path: path.as_deref(),
            text: context.text(),
        };
        return Some(categorize::finding(&access).confidence(verb.confidence));
    }
    Some(
        finding(Category::PrivilegedPort)
            .port(port_nearby(context))
            .capability(Capability::NET_BIND_SERVICE),
    )
}

/// Whether a message is about a port that every process may bind: another user would be refused
/// too.
pub(in crate::diagnosis) fn is_unprivileged_port(text: &str) -> bool {
    static BINDS: LazyLock<Regex> = LazyLock::new(|| {
        compile(r"(?i)\b(?:bind(?:ing)?|listen(?:ing)?|socketexception|make_sock)\b")
    });
    let mut ports = port::ports(text).map(|(port, _)| port).peekable();
    // A refused file in the same message is another obstacle.
    BINDS.is_match(text)
        && !is_unix(text)
        && path::paths(text).is_empty()
        && ports.peek().is_some()
        && ports.all(|port| port >= FIRST_UNPRIVILEGED)
}

fn is_unix(text: &str) -> bool {
    static UNIX: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)\bunix[ -](?:domain )?socket|\bunix:|\blisten unix\b|\.sock(?:et)?\b|\blocal socket|\bsocket file|\bAF_UNIX\b",
        )
    });
    UNIX.is_match(text)
}

/// A path in a message about binding is the socket's, unless it is the configuration or the code
/// that asked for it.
fn is_socket(text: &str, path: &str) -> bool {
    is_unix(text)
        || !(path.contains(".conf")
            || path.contains(".cfg")
            || path.contains(".py")
            || path.contains(".js")
            || path.contains(".go"))
}

/// A socket that the next lines name: MariaDB says "Bind on unix socket" and names it in the line
/// after.
fn socket_nearby(context: &LineContext) -> Option<String> {
    let near = context.after().take(2).chain(context.before().take(2));
    near.flat_map(|line| path::paths(&line.text))
        .find(|path| path.text.contains("sock"))
        .map(|path| path.text.to_owned())
}

/// The port that the record's fields name (Node prints `port: 80` under the trace), or that the
/// lines before announced.
fn port_nearby(context: &LineContext) -> Option<u16> {
    static FIELD: LazyLock<Regex> = LazyLock::new(|| compile(r#"^port: (\d{1,5}),?$"#));
    let field = context
        .record()
        .lines
        .iter()
        .find_map(|line| FIELD.captures(&line.text)?.get(1)?.as_str().parse().ok());
    let announced = || {
        let near = context.record().lines.iter().chain(context.before().take(6));
        near.filter_map(|line| port::port(&line.text)).find(|port| *port < FIRST_UNPRIVILEGED)
    };
    field.or_else(announced)
}

/// A message without an errno. It counts only for a privileged port, and where no other reason is
/// given.
fn without_errno(context: &LineContext) -> Option<Finding> {
    static SAYS: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)can't connect to \('|\b(?:unable|failed|could not|couldn't|cannot|can't) (?:to )?(?:bind|listen)\b|interface ignored|\b(?:unable to|failed to|could not|couldn't|cannot|can't) open (?:[\w-]+ ){0,3}(?:socket|port|listener) (?:on|for|at)\b",
        )
    });
    static OTHER_REASON: LazyLock<Regex> = LazyLock::new(|| {
        compile(
            r"(?i)in use|cannot assign|can't assign|not available|refused|no such|unavailable|eaddr|resolve|family not supported|already",
        )
    });
    if !SAYS.is_match(context.text()) || OTHER_REASON.is_match(context.text()) {
        return None;
    }
    let other_reason = context
        .after()
        .take(3)
        .chain(context.before().take(8))
        .any(|line| OTHER_REASON.is_match(&line.text));
    let port = port::port(context.text()).filter(|port| *port < FIRST_UNPRIVILEGED)?;
    (!other_reason).then(|| {
        Finding::new(Operation::Bind, Category::PrivilegedPort)
            .port(Some(port))
            .capability(Capability::NET_BIND_SERVICE)
            .certainty(Certainty::Words)
    })
}
