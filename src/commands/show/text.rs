//! The output of `show` as text.

use std::fmt::{Result, Write};

use cache_core::redact::Secrets;
use cache_core::{EntryDetails, EntryId, Headers, body_text, decode_body};

use crate::commands::show::encoding::{content_type, encoding};
use crate::output::human::{bytes, counted, duration, maybe_duration};
use crate::output::style::Style;
use crate::output::{human, json, safe};
use bytes::Bytes;

/// The shown entry, and the parts to show.
pub(crate) struct EntryText<'a> {
    pub(crate) found: &'a EntryDetails,
    /// The body as stored.
    pub(crate) body: Option<&'a Bytes>,
    /// Unix seconds.
    pub(crate) now: f64,
    pub(crate) secrets: Secrets,
}

impl EntryText<'_> {
    /// Everything.
    pub(crate) fn all(&self, style: Style) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_all(&mut out, style);
        out
    }

    /// The headers of the request and of the response.
    pub(crate) fn headers(&self, style: Style) -> String {
        let mut out = String::new();
        let _ = self.write_headers(&mut out, style);
        out
    }

    fn write_all(&self, out: &mut String, style: Style) -> Result {
        self.write_summary(out, style)?;
        self.write_headers(out, style)?;
        if !self.found.keys.is_empty() {
            writeln!(out, "\n{}", style.bold("Redis keys"))?;
            for fact in &self.found.keys {
                let ttl =
                    fact.ttl.map_or_else(|| "never expires".to_owned(), |ttl| format!("expires in {}", duration(ttl)));
                let size = fact.bytes.map_or_else(String::new, |size| format!(", {}", bytes(size)));
                let facts = style.dim(&format!("{}, {ttl}{size}", safe::line(&self.secrets.text(&fact.kind))));
                writeln!(out, "  {}  {facts}", safe::key(&fact.key, self.secrets))?;
            }
        }
        if let Some(stored) = self.body {
            writeln!(out, "\n{}", style.bold("Body"))?;
            let decoded = decode_body(stored, encoding(self.found));
            out.push_str(&readable(&decoded, content_type(self.found), self.secrets));
        }
        Ok(())
    }

    fn write_summary(&self, out: &mut String, style: Style) -> Result {
        let (entry, secrets) = (&self.found.summary, self.secrets);
        let mut fact = |name: &str, value: &str| writeln!(out, "{}  {value}", style.dim(&format!("{name:<10}")));
        if let Some(http) = &entry.http {
            let (method, url) = (secrets.text(&http.method), secrets.url(&http.url));
            fact("request", &style.bold(&format!("{} {}", safe::line(&method), safe::line(&url))))?;
            let kind = http.content_type.as_deref().map(|kind| format!("  {}", safe::line(&secrets.text(kind))));
            let kind = kind.unwrap_or_default();
            fact("response", &format!("{}{kind}", http.status))?;
            if let Some(title) = &http.title {
                fact("title", &safe::line(&secrets.text(title)))?;
            }
        }
        match &entry.id {
            EntryId::Http(..) => fact("ID", &entry.id.text())?,
            EntryId::Key(key) => fact("ID", &safe::key(key, secrets))?,
        }
        fact("key", &safe::key(&entry.id.redis_key(), secrets))?;
        if let Some(http) = &entry.http {
            fact("cache key", &safe::key(http.cache_key.as_bytes(), secrets))?;
        }
        fact("service", entry.service.name())?;
        fact("state", entry.state.name())?;
        if let Some(problem) = &entry.problem {
            fact("problem", &style.bad(&safe::line(&secrets.text(problem))))?;
        }
        fact("size", &format!("{} ({})", bytes(entry.size), counted(self.found.chunks, "chunk")))?;
        let stored = entry.created_at.map_or_else(|| "unknown".to_owned(), human::format_timestamp);
        fact("stored", &stored)?;
        fact("age", &maybe_duration(entry.age(self.now)))?;
        let ttl = match entry.ttl(self.now) {
            Some(ttl) => duration(ttl),
            None if entry.is_expiry_unknown() => "unknown: the file does not record it".to_owned(),
            None => "never expires".to_owned(),
        };
        fact("TTL", &ttl)?;
        if let Some(at) = entry.last_used(self.now) {
            fact("last used", &format!("about {} ago (from the remaining TTL)", duration(self.now - at)))?;
        }
        if let Some(http) = &entry.http {
            let lifetime = http.freshness.lifetime.map_or_else(
                || "no freshness lifetime".to_owned(),
                |given| format!("freshness lifetime {}", duration(given)),
            );
            let fresh = match entry.is_fresh(self.now) {
                Some(true) => style.good("fresh"),
                Some(false) => style.warn("stale"),
                None => "unknown".to_owned(),
            };
            fact("freshness", &format!("{fresh} ({lifetime})"))?;
        }
        Ok(())
    }

    fn write_headers(&self, out: &mut String, style: Style) -> Result {
        let Some(entry) = &self.found.entry else { return Ok(()) };
        self.write_fields(out, &style.bold("Request headers"), &entry.request.headers, style)?;
        self.write_fields(out, &style.bold("Response headers"), &entry.response.headers, style)
    }

    fn write_fields(&self, out: &mut String, heading: &str, headers: &Headers, style: Style) -> Result {
        writeln!(out, "\n{heading}")?;
        for (name, values) in headers.iter() {
            for value in values {
                let (name, value) = (self.secrets.text(name), self.secrets.header(name, value));
                writeln!(out, "  {} {}", style.dim(&format!("{}:", safe::line(&name))), safe::line(&value))?;
            }
        }
        Ok(())
    }
}

/// A body as text: JSON indented, other text unchanged, both escaped for a terminal; binary only named.
pub(crate) fn readable(decoded: &[u8], content_type: Option<&str>, secrets: Secrets) -> String {
    let Some(text) = body_text(decoded, content_type) else {
        return format!("(binary, {}; use --raw to write it to a file or pipe)\n", bytes(decoded.len() as u64));
    };
    let text = secrets.text(&text);
    let text = json::indented(&text).unwrap_or_else(|| text.to_string());
    let mut out = String::with_capacity(text.len() + 1);
    for line in safe::lines(text.strip_suffix('\n').unwrap_or(&text)) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_cannot_move_the_terminal() {
        let readable = |body: &[u8]| readable(body, None, Secrets::Masked);
        assert_eq!(readable(b"a\x1b[2J\r\nb"), "a␛[2J\nb\n");
        assert_eq!(readable(br#"{"a":[1],"b":{}}"#), "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}\n");
        assert_eq!(
            readable(br#"{"a":"\u30ef\u001b","n":1E5,"n":0.10}"#),
            "{\n  \"a\": \"ワ\\u001b\",\n  \"n\": 1E5,\n  \"n\": 0.10\n}\n"
        );
        assert_eq!(readable(b"\xff\xfe\xff"), "(binary, 3 B; use --raw to write it to a file or pipe)\n");
    }

    #[test]
    fn a_body_that_is_no_json_hides_its_secrets_too() {
        for body in [
            "access_token=S3CRET&x=1",
            "\u{feff}{\"token\":\"S3CRET\"}",
            "{\"token\":\"S3CRET\"}\n{\"token\":\"S3CRET\"}",
        ] {
            let shown = readable(body.as_bytes(), None, Secrets::Masked);
            assert!(!shown.contains("S3CRET") && shown.contains("***"), "{shown}");
        }
    }
}
