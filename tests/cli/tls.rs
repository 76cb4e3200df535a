//! Redis with TLS: the options of redis-cli and the parameters of redis-py, and what certificates can be wrong.

use std::net::TcpListener;

use crate::program::{Program, Run};
use crate::redis_server::RedisServer;

const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

/// A server whose certificate is for `localhost`, and its port.
fn server(requires_clients: &str) -> (RedisServer, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = RedisServer::start(&format!(
        "--tls-port {port} --tls-auth-clients {requires_clients} --tls-cert-file {CERTIFICATES}/server.crt \
         --tls-key-file {CERTIFICATES}/server.key --tls-ca-cert-file {CERTIFICATES}/ca.crt"
    ));
    (server, port)
}

/// Runs `stats` on a URL; `~` stands for the directory of the certificates.
fn stats(url: &str, options: &str) -> Run {
    let here = |text: &str| text.replace('~', CERTIFICATES);
    let (url, options) = (here(url), here(options));
    let arguments: Vec<_> = ["stats", "--redis", &url].into_iter().chain(options.split_whitespace()).collect();
    Program::bare().run(&arguments)
}

#[test]
fn the_certificate_of_a_server_is_verified_as_told() {
    let (_server, port) = server("no");
    let [named, other_name] = ["localhost", "127.0.0.1"].map(|host| format!("rediss://{host}:{port}/0"));
    let with = |url: &str, query: &str| format!("{url}?{query}");
    for (url, options, code, says) in [
        (&named, "", 5, "hint: pass the certificate of its issuer with --cacert FILE"),
        (&named, "--cacert ~/ca.crt", 0, ""),
        (&named, "--cacertdir ~", 0, ""),
        (&named, "--insecure", 0, "warning: the certificate of the Redis server is not verified\n"),
        (&with(&named, "ssl_ca_certs=~/ca.crt"), "", 0, ""),
        (&with(&named, "ssl_cert_reqs=none"), "", 0, "warning: the certificate of the Redis server is not verified\n"),
        (&other_name, "--cacert ~/ca.crt", 5, "hint: pass the name in the certificate with --sni HOST"),
        (&other_name, "--cacert ~/ca.crt --sni localhost", 0, ""),
        (&with(&other_name, "ssl_ca_certs=~/ca.crt&ssl_check_hostname=false"), "", 0, ""),
        (&named, "--cacert ~/none.crt", 2, "none.crt"),
        (&named, "--cacert ~/server.key", 2, "contains no PEM certificate"),
        (&named, "--insecure --sni localhost.example", 2, "no effect"),
        (&format!("redis://localhost:{port}/0"), "--cacert ~/ca.crt", 2, "--cacert requires a Redis URL with TLS"),
    ] {
        let run = stats(url, options);
        assert_eq!(run.code, Some(code), "{url} {options}: {}", run.err);
        assert!(run.err.contains(says), "{url} {options}: {}", run.err);
        assert!(!run.err.contains("SQLite"), "another cache was opened: {}", run.err);
        assert!(code != 0 || run.err == says, "{url} {options}: {}", run.err);
    }
    let doctor = Program::bare().run(&["doctor", "--redis", &named]);
    assert_eq!(doctor.code, Some(5));
    assert!(doctor.out.contains("--cacert FILE") && !doctor.out.contains("docker"), "{}", doctor.out);
}

#[test]
fn a_client_certificate_is_sent_and_asked_for() {
    let (_server, port) = server("yes");
    let url = format!("rediss://localhost:{port}/0");
    let whole = format!("{url}?ssl_ca_certs=~/ca.crt&ssl_certfile=~/client.crt&ssl_keyfile=~/client.key");
    for (url, options, code, says) in [
        (&url, "--cacert ~/ca.crt", 5, "with --cert FILE and --key FILE"),
        (&url, "--cacert ~/ca.crt --cert ~/client.crt --key ~/client.key", 0, ""),
        (&whole, "", 0, ""),
        (&url, "--cacert ~/ca.crt --cert ~/client.crt", 2, "invalid certificate or key"),
        (&url, "--cacert ~/ca.crt --key ~/client.key", 2, "requires the certificate"),
    ] {
        let run = stats(url, options);
        assert_eq!(run.code, Some(code), "{url} {options}: {}", run.err);
        assert!(run.err.contains(says) && !run.err.contains("SQLite"), "{url} {options}: {}", run.err);
    }
}
