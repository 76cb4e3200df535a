//! Recognizes failures that certificates cause. Repeating the call, or another store, does not help against them.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use redis::RedisError;
use rustls::{AlertDescription, CertificateError};

use crate::error::CertificateProblem;

/// What is wrong with the certificates, if they are the cause.
pub(crate) fn certificate_problem(error: &RedisError) -> Option<CertificateProblem> {
    // The driver shares its causes among the callers that wait for them.
    let cause = error.source()?;
    let cause: &(dyn StdError + 'static) = match cause.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
        Some(shared) => &**shared,
        None => cause,
    };
    let cause = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map_or(cause, |inner| inner);
    problem(cause.downcast_ref::<rustls::Error>()?)
}

fn problem(error: &rustls::Error) -> Option<CertificateProblem> {
    match error {
        rustls::Error::InvalidCertificate(problem) => Some(match problem {
            CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                CertificateProblem::OtherName
            }
            _ => CertificateProblem::Invalid,
        }),
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => Some(CertificateProblem::ClientRequired),
            AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate => Some(CertificateProblem::ClientRejected),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_errors_are_told_from_others() {
        let wrapped = |error: rustls::Error| RedisError::from(io::Error::new(io::ErrorKind::InvalidData, error));
        for (error, expected) in [
            (
                wrapped(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
                Some(CertificateProblem::UnknownIssuer),
            ),
            (
                wrapped(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)),
                Some(CertificateProblem::OtherName),
            ),
            (wrapped(rustls::Error::InvalidCertificate(CertificateError::Expired)), Some(CertificateProblem::Invalid)),
            (
                wrapped(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)),
                Some(CertificateProblem::ClientRequired),
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::UnknownCA).into(),
                Some(CertificateProblem::ClientRejected),
            ),
            (wrapped(rustls::Error::DecryptError), None),
            (io::Error::from(io::ErrorKind::ConnectionReset).into(), None),
        ] {
            assert_eq!(certificate_problem(&error), expected, "{error}");
        }
    }
}
