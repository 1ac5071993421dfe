//! Why a command failed: a sentence, and the exit status that goes with it.

use std::fmt;

use crate::config::error::Mistakes;
use crate::publish::lists::ListError;
use crate::store::StoreError;

/// A sentence and an exit status.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    /// The sentence; empty if everything was said already.
    pub message: String,
}

impl Failure {
    /// It failed: exit status 1.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { status: 1, message: message.into() }
    }

    /// It was called in a wrong way: exit status 2.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { status: 2, message: message.into() }
    }

    /// The configuration is wrong: exit status 78.
    #[must_use]
    pub fn config(message: impl Into<String>) -> Self {
        Self { status: 78, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Foreign { .. } | StoreError::Corrupt { .. } => 65,
            StoreError::Held { .. } => 75,
            StoreError::Unusable { .. } => 78,
            StoreError::Newer { .. } => 79,
            StoreError::Missing { .. } | StoreError::Broken { .. } | StoreError::Failed(_) | StoreError::Closed => 1,
        };
        Self { status, message: error.to_string() }
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Self::config(mistakes.to_string())
    }
}

impl From<ListError> for Failure {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            // `feedmill items | head`: who reads has seen enough.
            return Self { status: 0, message: String::new() };
        }
        Self::new(error.to_string())
    }
}
