//! Masks credentials in everything that is shown, logged or copied: URLs, keys, header fields, bodies.
//!
//! One table of names says what is secret, wherever the name stands: header field, parameter, member, cookie, form
//! field, argument. [`Redacted`] is text that passed it; nothing else makes one.

mod body;
mod header;
mod html;
mod json;
mod key;
mod mask;
mod names;
mod redacted;
mod secrets;
mod text;
mod url;
mod value;

pub use mask::MASK;
pub use redacted::Redacted;
pub use secrets::Secrets;
