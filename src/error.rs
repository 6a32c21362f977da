//! The one error of the tool: what was attempted, why it failed, what to do about it.

use std::fmt;

/// Whose turn it is to act on an error. It decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Bad usage or input: exit code 2.
    Input,
    /// A cluster, a registry or a permission: exit code 3.
    Remote,
}

impl Class {
    /// The process exit code that stands for this class.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Input => 2,
            Class::Remote => 3,
        }
    }
}

/// One failure as one sentence: `cannot ATTEMPTED: WHY; HELP`.
///
/// `attempted` names the action and what it was done to ("list pods in namespace shop"), `why` the
/// cause as the system gave it, `help` what the reader can do. None of them ends in a full stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    pub class: Class,
    pub attempted: String,
    pub why: String,
    pub help: Option<String>,
}

impl Error {
    /// The user's input or usage is at fault.
    pub fn input(attempted: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { class: Class::Input, attempted: attempted.into(), why: why.to_string(), help: None }
    }

    /// A cluster, a registry or a missing permission is at fault.
    pub fn remote(attempted: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { class: Class::Remote, attempted: attempted.into(), why: why.to_string(), help: None }
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.attempted, self.why)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// What a reader brings back: everything that was good, and one error for each thing that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial<T> {
    pub value: T,
    pub errors: Vec<Error>,
}

impl<T> Partial<T> {
    /// A reading without a fault.
    pub fn clean(value: T) -> Self {
        Self { value, errors: Vec::new() }
    }
}

impl<T> Partial<Vec<T>> {
    /// What was good of several things, and the errors, each in their order.
    pub fn of(results: impl IntoIterator<Item = Result<T, Error>>) -> Self {
        let mut read = Self::clean(Vec::new());
        for result in results {
            match result {
                Ok(value) => read.value.push(value),
                Err(error) => read.errors.push(error),
            }
        }
        read
    }
}
