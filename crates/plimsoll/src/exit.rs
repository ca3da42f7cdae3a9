//! How the process ends: the exit codes, and errors that know theirs.

use std::process::ExitCode;

use plimsoll_gateway::StartError;
use plimsoll_journal::JournalError;
use plimsoll_spec::Problems;
use plimsoll_store::StoreError;

/// The exit codes; they are part of the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or the answer is yes.
    Yes = 0,
    /// The answer is no: below the line, a case failed, a drill failed, there is no such thing.
    No = 1,
    /// What was typed cannot be.
    Usage = 2,
    /// The workspace has problems.
    Workspace = 3,
    /// The server cannot be reached, or does not let us in.
    Unreachable = 4,
    /// The data folder cannot be used.
    Data = 5,
    /// The port cannot be listened on.
    Port = 6,
    /// It cannot be said: an eval was inconclusive, or interrupted.
    Undecided = 7,
    /// A part of ours failed in a way that was not foreseen.
    Internal = 70,
}

impl Exit {
    /// Yes or no.
    pub(crate) const fn when(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error, and the code to end with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

/// What commands give.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// An error with this code.
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            error: error.into(),
        }
    }

    /// An error in words.
    pub(crate) fn says(exit: Exit, message: impl Into<String>) -> Self {
        Self::new(exit, anyhow::Error::msg(message.into()))
    }
}

/// Names the exit code of errors that do not know theirs.
pub(crate) trait Exits<T> {
    /// On error, end with `exit`.
    fn or_exit(self, exit: Exit) -> Outcome<T>;
}

impl<T, E: Into<anyhow::Error>> Exits<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Outcome<T> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::NotFound { .. } => Exit::No,
            StoreError::Ambiguous { .. } | StoreError::NotAnId { .. } => Exit::Usage,
            _ => Exit::Data,
        };
        Self::new(exit, error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::new(Exit::Data, error)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::new(Exit::Workspace, problems)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match &error {
            StartError::Listen { .. } => Exit::Port,
            StartError::Blobs(_) | StartError::Record(_) => Exit::Data,
            StartError::Transport(_) => Exit::Internal,
        };
        Self::new(exit, error)
    }
}

/// Writing to the terminal failed: whoever read has gone, which is no error of ours.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let gone = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self::new(if gone { Exit::Yes } else { Exit::Internal }, error)
    }
}
