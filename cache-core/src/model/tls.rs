//! TLS options of a connection.

use std::path::PathBuf;

/// What of the server's certificate is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVerification {
    /// Its issuer, its validity period and its name.
    #[default]
    Full,
    /// Its issuer and its validity period: it may be issued for another name.
    AnyName,
    /// Nothing.
    None,
}

/// TLS options. A part that is `None` is not configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file with the certificates of trusted issuers, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Directory of such files.
    pub ca_directory: Option<PathBuf>,
    /// PEM file with the client's certificate and the certificates of its issuers.
    pub certificate: Option<PathBuf>,
    /// PEM file with the client's private key; by default it is in the same file as the certificate.
    pub key: Option<PathBuf>,
    /// The name to ask the server for (SNI) and to verify, instead of the host of the URL.
    pub server_name: Option<String>,
    /// What of the server's certificate is verified.
    pub verification: Option<TlsVerification>,
}

impl TlsOptions {
    /// Whether no option is configured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These options, completed with weaker ones.
    #[cfg(feature = "redis")]
    pub(crate) fn or(self, weaker: &Self) -> Self {
        let weaker = weaker.clone();
        // A key belongs to its certificate.
        let key = if self.certificate.is_some() { self.key } else { self.key.or(weaker.key) };
        Self {
            ca_file: self.ca_file.or(weaker.ca_file),
            ca_directory: self.ca_directory.or(weaker.ca_directory),
            certificate: self.certificate.or(weaker.certificate),
            key,
            server_name: self.server_name.or(weaker.server_name),
            verification: self.verification.or(weaker.verification),
        }
    }
}
