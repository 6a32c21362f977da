//! Yes, no or not known, with the reason.

/// An answer and what it rests on. What is only likely is no answer: it stands in `why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub value: Option<bool>,
    pub why: String,
}

impl Answer {
    pub(crate) fn yes(why: impl Into<String>) -> Self {
        Self { value: Some(true), why: why.into() }
    }

    pub(crate) fn no(why: impl Into<String>) -> Self {
        Self { value: Some(false), why: why.into() }
    }

    pub(crate) fn unknown(why: impl Into<String>) -> Self {
        Self { value: None, why: why.into() }
    }
}
