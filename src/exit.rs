//! Exit codes, and the errors that map to them.

use std::process::ExitCode;
use std::{fmt, io};

use cache_core::{BackendKind, CertificateProblem, Error};

/// The exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Fault = 1,
    /// Wrong usage, or refused.
    Usage = 2,
    NothingMatched = 3,
    /// Partly done, interrupted, or findings.
    Partial = 4,
    /// The backend is unreachable.
    Unreachable = 5,
    /// The terminal of the dashboard was closed, or SIGHUP.
    HungUp = 129,
    /// The dashboard received SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A refused command, with a hint.
#[derive(Debug)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// The cache could not be opened; its source has the reason.
#[derive(Debug)]
pub struct CannotOpen;

impl fmt::Display for CannotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot open the cache")
    }
}

/// The exit code of an error.
pub fn exit_code(error: &anyhow::Error) -> Exit {
    if is_closed_pipe(error) {
        return Exit::Done;
    }
    if error.downcast_ref::<Refused>().is_some() {
        return Exit::Usage;
    }
    match error.downcast_ref::<Error>() {
        Some(Error::Config(_) | Error::ReadOnly(_) | Error::NotificationsOff { .. }) => Exit::Usage,
        Some(Error::Missing { .. } | Error::Certificate { .. }) => Exit::Unreachable,
        Some(error) if error.is_temporary() => Exit::Unreachable,
        _ if error.downcast_ref::<CannotOpen>().is_some() => Exit::Unreachable,
        _ => Exit::Fault,
    }
}

/// Whether the reader of the output closed the pipe (`| head`), which is not an error. The connection to a server may
/// break in the same way, as the cause of another error.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The hint for an error.
pub fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let error = error.downcast_ref::<Error>()?;
    let kind = match error {
        Error::Unavailable { backend, .. } | Error::Timeout { backend, .. } | Error::Missing { backend } => {
            Some(backend.kind)
        }
        _ => None,
    };
    match (error, kind) {
        (Error::Missing { .. }, _) => Some("pass the file with --sqlite PATH, or run 'animecache doctor'"),
        (_, Some(BackendKind::Redis)) => {
            Some("start Redis, pass --redis URL, or use --storage sqlite; run 'animecache doctor' for details")
        }
        (Error::Certificate { problem, .. }, _) => Some(certificate_advice(*problem)),
        (Error::ReadOnly(_), _) => Some("run again without --read-only"),
        (Error::NotificationsOff { .. }, _) => Some(
            "pass --enable-notifications to enable them while watching, or --monitor to use MONITOR for 10 seconds",
        ),
        (Error::Refused { operation: "CONFIG GET" | "CONFIG SET", .. }, _) => {
            Some("the Redis user lacks permission for CONFIG; --monitor does not need it")
        }
        (Error::Refused { .. }, _) => Some("run 'animecache doctor' for details"),
        _ => None,
    }
}

/// The hint for a certificate that is not accepted.
pub fn certificate_advice(problem: CertificateProblem) -> &'static str {
    match problem {
        CertificateProblem::UnknownIssuer => {
            "pass the certificate of its issuer with --cacert FILE, or skip the verification with --insecure"
        }
        CertificateProblem::OtherName => {
            "pass the name in the certificate with --sni HOST, or skip the verification with --insecure"
        }
        CertificateProblem::ClientRequired | CertificateProblem::ClientRejected => {
            "pass a certificate that the server accepts with --cert FILE and --key FILE"
        }
        _ => "renew the certificate, or skip the verification with --insecure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn exit_code_ignores_added_context() {
        let code = |error: anyhow::Error| exit_code(&error.context("while doing something"));
        assert_eq!(code(Refused("no".into()).into()), Exit::Usage);
        assert_eq!(code(Error::Config("no".into()).into()), Exit::Usage);
        assert_eq!(code(io::Error::from(io::ErrorKind::BrokenPipe).into()), Exit::Done);
        assert_eq!(code(io::Error::from(io::ErrorKind::PermissionDenied).into()), Exit::Fault);
        let backend = cache_core::BackendId { kind: BackendKind::Redis, location: "redis://localhost".into() };
        let source = io::Error::from(io::ErrorKind::BrokenPipe).into();
        assert_eq!(code(Error::Unavailable { backend, source }.into()), Exit::Unreachable);
        let refused: anyhow::Result<()> = Err(Error::Unsupported("x")).context(CannotOpen);
        assert_eq!(code(refused.unwrap_err()), Exit::Unreachable);
    }
}
