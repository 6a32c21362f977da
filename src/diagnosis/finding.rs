//! What a pattern, or a system call of a trace, says was refused.

use crate::model::capability::Capability;
use crate::model::detail::Detail;
use crate::model::obstacle::{Category, Errno, Operation};

/// How sure a reading of a line is: of several patterns that read one line, the surest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// The form of the message, one of its fields or a stack frame names the operation.
    Exact,
    /// A verb stands before the errno. Of several, the nearest counts: a message leads from what
    /// was wanted to the system call that failed.
    VerbBeforeErrno,
    /// A verb stands behind the errno.
    VerbAfterErrno,
    /// Words say what was refused, and no verb belongs to an errno.
    Words,
    /// A path stands beside an errno, without a verb.
    PathAndErrno,
    /// An errno alone.
    ErrnoAlone,
}

/// A certainty and, of a verb, how near it is to the errno. The least counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Confidence {
    pub certainty: Certainty,
    /// Bytes between the verb and the errno; 0 without a verb.
    pub offset: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub operation: Operation,
    pub errno: Option<Errno>,
    pub path: Option<String>,
    pub port: Option<u16>,
    pub capability: Option<Capability>,
    pub category: Category,
    pub confidence: Confidence,
    /// Programs that print this continue.
    pub harmless: bool,
    /// Replaces the sentence that follows from the category.
    pub cause: Option<String>,
    pub details: Vec<Detail>,
}

impl Finding {
    pub(super) fn new(operation: Operation, category: Category) -> Self {
        Finding {
            operation,
            errno: None,
            path: None,
            port: None,
            capability: None,
            category,
            confidence: Confidence { certainty: Certainty::Exact, offset: 0 },
            harmless: false,
            cause: None,
            details: Vec::new(),
        }
    }

    pub(super) fn errno(self, errno: impl Into<Option<Errno>>) -> Self {
        Finding { errno: errno.into(), ..self }
    }

    pub(super) fn path(self, path: Option<impl Into<String>>) -> Self {
        Finding { path: path.map(Into::into), ..self }
    }

    pub(super) fn port(self, port: Option<u16>) -> Self {
        Finding { port, ..self }
    }

    pub(super) fn capability(self, capability: impl Into<Option<Capability>>) -> Self {
        Finding { capability: capability.into(), ..self }
    }

    pub(super) fn certainty(self, certainty: Certainty) -> Self {
        Finding { confidence: Confidence { certainty, offset: 0 }, ..self }
    }

    pub(super) fn confidence(self, confidence: Confidence) -> Self {
        Finding { confidence, ..self }
    }

    pub(super) fn harmless(self, harmless: bool) -> Self {
        Finding { harmless, ..self }
    }

    pub(super) fn cause(self, cause: impl Into<String>) -> Self {
        Finding { cause: Some(cause.into()), ..self }
    }

    pub(super) fn detail(mut self, detail: Detail) -> Self {
        self.details.push(detail);
        self
    }
}
