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
pub(crate) fn required(
    name: &'static str,
    meaning: &'static str,
) -> Result<String, MissingVariable> {
    non_empty(name).ok_or(MissingVariable { name, meaning })
}

/// An environment variable that the function requires is not set.
pub struct MissingVariable {
    name: &'static str,
    meaning: &'static str,
}

impl fmt::Display for MissingVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the environment variable {} is not set; it must hold {}",
            self.name, self.meaning
        )
    }
}

/// The same as `Display`, because a `main` that returns the error prints it with `Debug`.
impl fmt::Debug for MissingVariable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Error for MissingVariable {}
