//! Yes, no or not known, with the reason.

/// An answer and what it rests on. What is only likely is no answer: it stands in `reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub value: Option<bool>,
    pub reason: String,
}

impl Answer {
    pub(crate) fn yes(reason: impl Into<String>) -> Self {
        Self { value: Some(true), reason: reason.into() }
    }

    pub(crate) fn no(reason: impl Into<String>) -> Self {
        Self { value: Some(false), reason: reason.into() }
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self { value: None, reason: reason.into() }
    }
}
