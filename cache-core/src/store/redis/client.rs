//! The driver's client for a location: address, user, database and TLS.

use std::net::SocketAddr;
use std::path::Path;

use redis::io::AsyncDNSResolver;
use redis::io::tcp::TcpSettings;
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo,
    RedisFuture, RedisResult, TlsCertificates,
};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::redis_url::location::{RedisLocation, RedisServer};
use crate::model::tls::{TlsOptions, TlsVerification};

/// Larger files hold no certificates.
const MAX_PEM_FILE: u64 = 16 << 20;

/// Connects to a host whose certificate is issued for another name: the driver has one name for both.
#[derive(Clone, Debug)]
pub(crate) struct ConnectTo(String);

impl AsyncDNSResolver for ConnectTo {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((self.0.as_str(), port)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as _)
        })
    }
}

/// A client, and the host to connect to if that is not the name in the certificate.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) client: Client,
    pub(crate) connect_to: Option<ConnectTo>,
}

/// The endpoint at a location. Connects to nothing, but reads the files of certificates.
pub(crate) fn endpoint(location: &RedisLocation, config: &Config) -> Result<Endpoint> {
    // The driver's message may quote the user's password.
    let unusable = |_| Error::Config(format!("invalid Redis URL {}", config.redis_url));
    let (addr, connect_to) = address(location, &config.redis_tls)?;
    let is_tls = matches!(addr, ConnectionAddr::TcpTls { .. });
    let info = addr.into_connection_info().map_err(unusable)?;
    let info = info.set_redis_settings(settings(location)).set_tcp_settings(tcp_settings(config));
    if !is_tls {
        return Ok(Endpoint { client: Client::open(info).map_err(unusable)?, connect_to });
    }
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificates = certificates(&config.redis_tls)?;
    let built = || -> RedisResult<Client> {
        let client = Client::build_with_tls(info, certificates)?;
        if config.redis_tls.verification != Some(TlsVerification::AnyName) {
            return Ok(client);
        }
        let info = client.get_connection_info().clone();
        let mut addr = info.addr().clone();
        addr.set_danger_accept_invalid_hostnames(true);
        Client::open(info.set_addr(addr))
    };
    let client = built().map_err(|error| Error::Config(format!("invalid certificate or key: {error}")))?;
    Ok(Endpoint { client, connect_to })
}

fn address(location: &RedisLocation, tls: &TlsOptions) -> Result<(ConnectionAddr, Option<ConnectTo>)> {
    let (host, port) = match &location.server {
        RedisServer::Tcp { host, port } => (host.clone(), *port),
        RedisServer::Socket(path) => (path.display().to_string(), 0),
    };
    if location.tls.is_none() {
        if !tls.is_empty() {
            return Err(Error::Config("TLS options require TLS: use rediss:// for the Redis URL".to_owned()));
        }
        return Ok(match &location.server {
            RedisServer::Tcp { .. } => (ConnectionAddr::Tcp(host, port), None),
            RedisServer::Socket(path) => (ConnectionAddr::Unix(path.clone()), None),
        });
    }
    let insecure = tls.verification == Some(TlsVerification::None);
    let other_name = tls.server_name.clone().filter(|name| *name != host);
    if insecure && other_name.is_some() {
        // Without verification the driver does not send the name either.
        return Err(Error::Config("a server name has no effect if certificates are not verified".to_owned()));
    }
    let (host, connect_to) = match other_name {
        Some(name) => (name, Some(ConnectTo(host))),
        None => (host, None),
    };
    Ok((ConnectionAddr::TcpTls { host, port, insecure, tls_params: None }, connect_to))
}

fn settings(location: &RedisLocation) -> RedisConnectionInfo {
    let protocol = if location.is_resp3 { ProtocolVersion::RESP3 } else { ProtocolVersion::RESP2 };
    let mut settings = RedisConnectionInfo::default().set_db(i64::from(location.database)).set_protocol(protocol);
    if let Some(username) = &location.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &location.password {
        settings = settings.set_password(password);
    }
    settings
}

fn tcp_settings(config: &Config) -> TcpSettings {
    let tcp = TcpSettings::default().set_nodelay(true);
    if config.redis_socket_keepalive { tcp.set_keepalive(redis::io::tcp::socket2::TcpKeepalive::new()) } else { tcp }
}

/// The certificates in the files of the options.
fn certificates(tls: &TlsOptions) -> Result<TlsCertificates> {
    let client_tls = match &tls.certificate {
        Some(certificate) => {
            let client_key = pem(tls.key.as_ref().unwrap_or(certificate))?;
            Some(ClientTlsConfig { client_cert: pem(certificate)?, client_key })
        }
        None if tls.key.is_some() => {
            return Err(Error::Config("a private key requires the certificate that it belongs to".to_owned()));
        }
        None => None,
    };
    let mut issuers = Vec::new();
    if let Some(file) = &tls.ca_file {
        issuers.extend(issuers_in(file)?);
    }
    if let Some(directory) = &tls.ca_directory {
        issuers.extend(issuers_below(directory)?);
    }
    let has_issuers = tls.ca_file.is_some() || tls.ca_directory.is_some();
    Ok(TlsCertificates { client_tls, root_cert: has_issuers.then_some(issuers) })
}

fn issuers_in(file: &Path) -> Result<Vec<u8>> {
    let text = pem(file)?;
    if has_certificate(&text) {
        return Ok(text);
    }
    Err(Error::Config(format!("{} contains no PEM certificate", file.display())))
}

/// The certificates in the files of a directory; other files in it do no harm.
fn issuers_below(directory: &Path) -> Result<Vec<u8>> {
    let unreadable = |error| Error::Config(format!("cannot read {}: {error}", directory.display()));
    let mut issuers = Vec::new();
    for file in std::fs::read_dir(directory).map_err(unreadable)? {
        let text = pem(&file.map_err(unreadable)?.path()).unwrap_or_default();
        if has_certificate(&text) {
            issuers.extend(text);
            issuers.push(b'\n');
        }
    }
    if issuers.is_empty() {
        return Err(Error::Config(format!("{} contains no PEM certificate", directory.display())));
    }
    Ok(issuers)
}

fn has_certificate(pem: &[u8]) -> bool {
    pem.windows(27).any(|text| text == b"-----BEGIN CERTIFICATE-----")
}

/// The text of a PEM file. Other files than regular ones may have no end.
fn pem(file: &Path) -> Result<Vec<u8>> {
    let read = || {
        let metadata = std::fs::metadata(file)?;
        if !metadata.is_file() || metadata.len() > MAX_PEM_FILE {
            return Err(std::io::Error::other("not a PEM file"));
        }
        std::fs::read(file)
    };
    read().map_err(|error| Error::Config(format!("cannot read {}: {error}", file.display())))
}
