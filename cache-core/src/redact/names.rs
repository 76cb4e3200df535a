//! The table of names: which ones name a secret, and which header fields never do.

use std::borrow::Cow;

/// Letters of a name, without separators and case, that make it a secret wherever they stand in it.
const PARTS: [&str; 35] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "credential",
    "authoriz",
    "authentic",
    "cookie",
    "session",
    "sessid",
    "signature",
    "jwt",
    "bearer",
    "csrf",
    "xsrf",
    "apikey",
    "accesskey",
    "privatekey",
    "authkey",
    "appkey",
    "clientkey",
    "secretkey",
    "subscriptionkey",
    "keypairid",
    "clientid",
    "saml",
    "assertion",
    "verifier",
    "dpop",
    "hmac",
    "devicecode",
    "usercode",
    "verificationcode",
];

/// Whole words of a name that make it a secret.
const WORDS: [&str; 14] =
    ["auth", "oauth", "pass", "pwd", "pw", "sig", "sid", "otp", "totp", "mfa", "cred", "creds", "nonce", "appid"];

/// Names that are secret alone, and ordinary as a part of another: `country_code`, `user_count`.
const WHOLE: [&str; 7] = ["code", "state", "user", "username", "hash", "pin", "ticket"];

/// Header fields without credentials of RFC 9110, RFC 9111 and the like, in lower case. URLs in them are still masked.
const PLAIN_FIELDS: [&str; 81] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-allow-credentials",
    "age",
    "allow",
    "alt-svc",
    "cache-control",
    "cache-status",
    "cdn-cache-control",
    "cf-cache-status",
    "cf-ray",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "digest",
    "dnt",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "nel",
    "origin",
    "permissions-policy",
    "pragma",
    "proxy-authenticate",
    "range",
    "referer",
    "referrer-policy",
    "report-to",
    "retry-after",
    "server",
    "server-timing",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-cache",
    "x-cache-hits",
    "x-content-type-options",
    "x-frame-options",
    "x-powered-by",
    "x-request-fingerprint",
    "x-request-id",
    "x-served-by",
    "x-xss-protection",
];

/// Longer names are cut: no name of a secret is that long, and the text is untrusted.
const MAX_NAME: usize = 128;

/// Whether a header field, parameter, member, cookie, form field or argument of this name holds a credential.
pub(crate) fn is_secret(name: &str) -> bool {
    // Called for every parameter of every listed URL: nothing is allocated.
    let mut letters = [0; MAX_NAME];
    let mut count = 0;
    let bytes = &name.as_bytes()[name.len().saturating_sub(MAX_NAME)..];
    for byte in bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        letters[count] = byte.to_ascii_lowercase();
        count += 1;
    }
    let letters = &letters[..count];
    let contains = |part: &&str| letters.windows(part.len()).any(|window| window == part.as_bytes());
    let is = |word: &&str| letters == word.as_bytes();
    let mut last = false;
    let mut has_word = false;
    words(bytes, |word| {
        last = word.eq_ignore_ascii_case(b"key");
        has_word |= WORDS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    });
    last || has_word || PARTS.iter().any(contains) || WHOLE.iter().any(is)
}

/// Whether a name is that of a secret without any doubt, also where prose may use it.
pub(crate) fn is_certain(name: &str) -> bool {
    is_secret(name) && !name.eq_ignore_ascii_case("key") && !WHOLE.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Whether a header field is known to hold no credential.
pub(crate) fn is_plain_field(name: &str) -> bool {
    let known = |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    ["x-ratelimit-", "ratelimit-"].into_iter().any(known)
        || PLAIN_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
}

/// The name with its percent-encoding undone, once: `k%65y` is `key` too.
pub(crate) fn decoded(name: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(name).decode_utf8_lossy()
}

/// Calls `found` with the words of a name, which separators or capitals begin: `X-Auth`, `userAuth`.
fn words(name: &[u8], mut found: impl FnMut(&[u8])) {
    let mut start = 0;
    for at in 0..=name.len() {
        let is_separator = name.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let is_capital =
            at > 0 && at < name.len() && name[at - 1].is_ascii_lowercase() && name[at].is_ascii_uppercase();
        if is_separator || is_capital {
            if at > start {
                found(&name[start..at]);
            }
            start = if is_separator { at + 1 } else { at };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_list_is_secret() {
        let names = "authorization proxy-authorization Cookie set-cookie set-cookie2 x-auth x-auth-key authentication \
            authentication-info x-amz-credential x-amz-signature x-amz-security-token x-session-id x-csrf x-csrf-token \
            x-xsrf-token x-access-key x-client-key x-functions-key ocp-apim-subscription-key x-mal-client-id x-jwt \
            x-passwd x-pass x-credential x-credentials x-signature x-private-key x-passphrase dpop \
            x-forwarded-authorization x-original-authorization X-Api-Key apikey api_key api-key pass passwd pwd session \
            sessionid sid PHPSESSID code state client_id jwt bearer assertion SAMLResponse Key-Pair-Id hmac otp pin user \
            access_key private_key passphrase credential oauth_verifier app_key subscription-key auth_key hash \
            jsessionid sessionId auth key sig signature accessKeyId token access_token refresh_token id_token secret \
            client_secret password user[password] connect.sid login_ticket_token ticket cookies tokens userAuth";
        for name in names.split_whitespace() {
            assert!(is_secret(name), "{name}");
            assert!(!is_plain_field(name), "{name}");
        }
    }

    #[test]
    fn ordinary_names_are_not_secret() {
        let names = "content-type etag author authority title page q limit monkey design bypass keyVisual status_code \
            country_code user_count username_count mal_id url statement season passenger sidebar keys design status";
        for name in names.split_whitespace() {
            assert!(!is_secret(name), "{name}");
        }
        assert!(is_plain_field("Content-Type") && is_plain_field("X-RateLimit-Remaining") && !is_plain_field("x-foo"));
    }

    #[test]
    fn names_that_are_words_of_prose_are_not_certain() {
        assert!(is_certain("password") && is_certain("x-api-key") && !is_certain("Code") && !is_certain("key"));
    }
}
