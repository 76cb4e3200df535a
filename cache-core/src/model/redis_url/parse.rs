//! The parts of a Redis URL.

use std::path::PathBuf;

use crate::model::redis_url::location::{RedisLocation, RedisServer};
use crate::model::redis_url::parameters::Parameters;
use crate::model::redis_url::text::{decode, number, split};

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 6379;
const EXPECTED: &str = "expected redis://[USER:PASSWORD@]HOST:PORT/DB, rediss://…, unix:///PATH or /PATH";

/// How a URL begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Plain,
    Tls,
    Socket,
}

/// What a URL means. The error is the end of a sentence.
pub(crate) fn parse(text: &str) -> Result<RedisLocation, String> {
    if text.chars().any(char::is_control) {
        return Err("it contains a control character".to_owned());
    }
    if text.starts_with('/') {
        let (path, query) = split(text, '?');
        let server = RedisServer::Socket(PathBuf::from(path));
        return Parameters::read(query, false)?.location(server, None, None, 0);
    }
    let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
    let scheme = self::scheme(scheme)?;
    let (rest, fragment) = split(rest, '#');
    if fragment.is_some() {
        return Err(
            "# has no meaning in it; write %23 in a password, and ?ssl_cert_reqs=none to skip the verification \
                    of certificates"
                .to_owned(),
        );
    }
    let (rest, query) = split(rest, '?');
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (userinfo, address) = authority.rsplit_once('@').map_or((None, authority), |(user, rest)| (Some(user), rest));
    let (username, password) = match userinfo {
        Some(userinfo) => credentials(userinfo)?,
        None => (None, None),
    };
    let parameters = Parameters::read(query, scheme == Scheme::Tls)?;
    let path = decode(path).ok_or("its path is not UTF-8")?;
    if scheme == Scheme::Socket {
        return match (address, &*path) {
            ("", "" | "/") => Err("the path of the socket is missing: unix:///PATH".to_owned()),
            ("", _) => parameters.location(RedisServer::Socket(path.into()), username, password, 0),
            _ => Err("the path of a socket needs three slashes: unix:///PATH".to_owned()),
        };
    }
    parameters.location(tcp(address)?, username, password, database(&path)?)
}

fn scheme(name: &str) -> Result<Scheme, String> {
    let generic = name.replacen("valkey", "redis", 1);
    match generic.as_str() {
        "redis" => Ok(Scheme::Plain),
        "rediss" => Ok(Scheme::Tls),
        "unix" | "redis+unix" => Ok(Scheme::Socket),
        "redis-cluster" | "rediss-cluster" => Err(format!(
            "{name}:// is not supported: the cache must be on a single server, not on a cluster; use redis://HOST:PORT/DB"
        )),
        "redis-sentinel" | "rediss-sentinel" => Err(format!(
            "{name}:// is not supported: name the primary itself, redis://HOST:PORT/DB; \
             'SENTINEL GET-MASTER-ADDR-BY-NAME NAME' asks a sentinel for it"
        )),
        _ => Err(EXPECTED.to_owned()),
    }
}

/// The server in `HOST:PORT`; both may be missing, as in redis-py.
fn tcp(address: &str) -> Result<RedisServer, String> {
    if address.contains(',') {
        return Err("multiple hosts are not supported; use one: redis://HOST:PORT/DB".to_owned());
    }
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("] is missing after the IPv6 address")?;
            let port = if port.is_empty() { "" } else { port.strip_prefix(':').ok_or("expected [ADDRESS]:PORT")? };
            (host, port)
        }
        None => address.split_once(':').unwrap_or((address, "")),
    };
    let port = match port {
        "" => DEFAULT_PORT,
        digits => number(digits).filter(|port| *port != 0).ok_or("its port is not a number from 1 to 65535")?,
    };
    let host = decode(host).filter(|host| host.is_ascii() && !host.contains([' ', '/', '@', '[', ']', '%']));
    let host = host.ok_or("its host is invalid")?.to_ascii_lowercase();
    Ok(RedisServer::Tcp { host: if host.is_empty() { DEFAULT_HOST.to_owned() } else { host }, port })
}

/// The database in the path. redis-py joins `/4/5` to 45 and takes other text for 0, which is never what was meant.
fn database(path: &str) -> Result<u32, String> {
    match path.trim_matches('/') {
        "" => Ok(0),
        text => number(text).ok_or_else(|| {
            "its path is not the number of a database; write / and @ in a password as %2F and %40".to_owned()
        }),
    }
}

/// User and password; an empty one is none.
fn credentials(userinfo: &str) -> Result<(Option<String>, Option<String>), String> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let part = |text: &str, what: &str| match decode(text) {
        Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        None => Err(format!("its {what} is not UTF-8")),
    };
    Ok((part(user, "user name")?, part(password, "password")?))
}
