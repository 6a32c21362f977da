//! Sentences of single programs that no general wording covers. They are data: a program belongs
//! here only if many run in containers, and with the file of its source that has the sentence.

use super::wordings::{Message, demand, message, unreadable};
use crate::model::detail::Demand;
use crate::model::obstacle::Operation;

/// The first that matches counts, before the general wordings.
pub(super) const SENTENCES: &[Message] = &[
    // git, setup.c.
    demand(Demand::Owner, r"detected dubious ownership in repository at {P}"),
    // OpenSSH, authfile.c.
    demand(Demand::Private, r"\bload key {P}:? bad permissions"),
    // OpenSSH, sshd.c.
    message(Operation::Other, r"missing privilege separation directory:? {P}"),
    unreadable(r"no hostkeys available"),
    // SQLite, src/main.c: SQLITE_READONLY and SQLITE_CANTOPEN.
    message(
        Operation::Open,
        r"attempt to write a readonly database|unable to open (?:the )?database file(?:: {P}$)?|readonly database",
    ),
    // CPython, Lib/tempfile.py.
    message(
        Operation::Create,
        r"no usable temporary directory found in {P}|no usable temporary directory",
    ),
    // Elasticsearch, NodeEnvironment.java.
    message(Operation::Lock, r"failed to obtain node locks?, tried {P}"),
    // MinIO, cmd/xl-storage.go and internal/config/errors.go.
    message(Operation::Other, r"unable to write to (?:the )?backend"),
    // Spring Boot, its embedded web servers.
    message(Operation::Mkdir, r"unable to create tempdir\. java\.io\.tmpdir is set to {P}"),
    // Numba, numba/core/caching.py.
    message(Operation::Other, r"cannot cache function .* no locator available for file {P}"),
    // conda, conda/exceptions.py.
    message(Operation::Other, r"not have write permissions? to a required path"),
    // PHP, main/main.c.
    unreadable(r"failed opening required {P}"),
];
