//! Sentences of single programs that no general wording covers. They are data: a program belongs
//! here only if many run in containers, and with the file of its source that has the sentence.

use super::wordings::{Message, demand, message, unreadable};
use crate::model::detail::Demand;
use crate::model::obstacle::{Category, Operation};

/// The first that matches counts, before the general wordings.
pub(super) const SENTENCES: &[Message] = &[
    // git, setup.c.
    demand(Demand::Owner, r"detected dubious ownership in repository at {P}"),
    // OpenSSH, authfile.c.
    demand(Demand::Private, r"\bload key {P}:? bad permissions"),
    // OpenSSH, sshd.c.
    message(Operation::Other, r"missing privilege separation directory:? {P}"),
    unreadable(r"no hostkeys available"),
    // X.Org libxtrans, Xtrans.c: trans_mkdir().
    message(Operation::Mkdir, r"euid != 0, ?directory {P} will not be created"),
    // Hadoop, RawLocalFileSystem.java, and the many that copied it.
    message(Operation::Mkdir, r"\bmkdirs failed to create {P}"),
    // NVIDIA's NVML, nvml.h: NVML_ERROR_NO_PERMISSION.
    Message {
        operation: Operation::Device,
        category: Some(Category::DeviceAccess),
        demand: None,
        pattern: r"\binitialize NVML: insufficient permissions",
    },
    // SQLite, src/main.c: SQLITE_READONLY and SQLITE_CANTOPEN.
    message(
        Operation::Open,
        r"attempt to write a readonly database(?: \([^()]*\bdatabase: {P2})?|unable to open (?:the )?database file(?:: {P}$)?|readonly database",
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
