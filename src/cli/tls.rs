//! TLS options, by the names of redis-cli.

use std::ffi::OsString;
use std::path::PathBuf;

use cache_core::{TlsOptions, TlsVerification};
use clap::Args;

/// Options of a Redis connection with TLS.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS options (for rediss:// URLs)")]
pub struct TlsArgs {
    /// File with the certificates of trusted issuers (PEM), instead of those of the system
    #[arg(long, global = true, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Use all files of DIR as --cacert
    #[arg(long, global = true, value_name = "DIR")]
    pub cacertdir: Option<PathBuf>,
    /// File with the client certificate (PEM)
    #[arg(long, global = true, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    #[arg(long, global = true, value_name = "FILE")]
    #[arg(help = "File with the private key of the client certificate (PEM) [default: the file of --cert]")]
    pub key: Option<PathBuf>,
    #[arg(long, global = true, value_name = "HOST")]
    #[arg(help = "Use HOST as the name in the certificate [default: the host of the URL]")]
    pub sni: Option<String>,
    /// Skip the verification of the server certificate
    #[arg(long, global = true)]
    pub insecure: bool,
}

impl TlsArgs {
    /// The options of the connection.
    pub(crate) fn options(&self) -> TlsOptions {
        TlsOptions {
            ca_file: self.cacert.clone(),
            ca_directory: self.cacertdir.clone(),
            certificate: self.cert.clone(),
            key: self.key.clone(),
            server_name: self.sni.clone(),
            verification: self.insecure.then_some(TlsVerification::None),
        }
    }

    /// The given flags with their values; that of `--insecure` is `true`.
    pub(crate) fn given(&self) -> Vec<(&'static str, OsString)> {
        let path = |path: &Option<PathBuf>| path.clone().map(OsString::from);
        let all = [
            ("--cacert", path(&self.cacert)),
            ("--cacertdir", path(&self.cacertdir)),
            ("--cert", path(&self.cert)),
            ("--key", path(&self.key)),
            ("--sni", self.sni.clone().map(OsString::from)),
            ("--insecure", self.insecure.then(|| "true".into())),
        ];
        all.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect()
    }
}
