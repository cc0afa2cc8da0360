//! Environment variables.

use std::{env, error::Error, fmt};

/// Returns the value of a variable. An empty value counts as unset, because `sam local` passes unset variables as
/// empty ones.
pub(crate) fn non_empty(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the value of a variable that the function requires.
///
/// # Errors
/// Returns an error if the variable is not set or empty. `meaning` says what it must contain.
pub(crate) fn required(name: &'static str, meaning: &str) -> Result<String, InvalidVariable> {
    non_empty(name).ok_or_else(|| {
        InvalidVariable::new(name, format_args!("is not set; it must hold {meaning}"))
    })
}

/// An environment variable is missing, or its value cannot be used.
pub struct InvalidVariable {
    name: &'static str,
    problem: String,
}

impl InvalidVariable {
    /// `problem` is the rest of a sentence that begins with the variable.
    pub(crate) fn new(name: &'static str, problem: impl fmt::Display) -> Self {
        Self {
            name,
            problem: problem.to_string(),
        }
    }
}

impl fmt::Display for InvalidVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, problem } = self;
        write!(formatter, "the environment variable {name} {problem}")
    }
}

/// The same as `Display`, because a `main` that returns the error prints it with `Debug`.
impl fmt::Debug for InvalidVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Error for InvalidVariable {}
