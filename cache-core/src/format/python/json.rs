//! `json.dumps` and `str()` of Python for anything that serde can serialize.
//!
//! Keys and stored values must be byte-identical to the pipeline's. The JSON of `serde_json` differs: in spaces,
//! floats, infinities and the order of members.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::ser;
use serde::ser::{Error as _, Serialize};
use serde_json::Error;

use crate::format::python::repr::{boolean, float};

/// Options of `json.dumps`.
#[derive(Clone, Copy)]
pub(crate) struct JsonStyle {
    /// `ensure_ascii`: write every non-ASCII character as `\uXXXX`.
    pub(crate) ascii: bool,
    /// `separators`: `,` and `:` instead of `, ` and `: `.
    pub(crate) compact: bool,
    /// `sort_keys`.
    pub(crate) sorted: bool,
}

/// The kind of value that was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    None,
    Text,
    Int,
    Other,
}

/// `json.dumps(value, …)`.
pub(crate) fn dumps(value: &(impl Serialize + ?Sized), how: JsonStyle) -> Result<(String, Kind), Error> {
    let mut out = String::new();
    let kind = value.serialize(ResponseWriter { out: &mut out, style: how, is_plain: false })?;
    Ok((out, kind))
}

/// `str(value)` of a text, number or bool, and `json.dumps(value, …)` of anything else.
pub(crate) fn plain(value: &(impl Serialize + ?Sized), how: JsonStyle) -> Result<(String, Kind), Error> {
    let mut out = String::new();
    let kind = value.serialize(ResponseWriter { out: &mut out, style: how, is_plain: true })?;
    Ok((out, kind))
}

struct ResponseWriter<'a> {
    out: &'a mut String,
    style: JsonStyle,
    /// A text, number or bool, as `str()` writes it.
    is_plain: bool,
}

impl<'a> ResponseWriter<'a> {
    /// Begins a list or a mapping; its parts are JSON.
    fn open(self, opening: char, closing: &'static str) -> Parts<'a> {
        self.out.push(opening);
        Parts { out: self.out, style: self.style, closing, count: 0, members: Vec::new(), name: None }
    }

    /// Begins the content of an enum variant, in a mapping from its name.
    fn open_variant(self, name: &str, opening: char, closing: &'static str) -> Parts<'a> {
        self.out.push('{');
        write_string(self.out, name, self.style.ascii);
        self.out.push_str(colon(self.style));
        self.open(opening, closing)
    }

    fn put(self, text: &str, kind: Kind) -> Kind {
        self.out.push_str(text);
        kind
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty,)*) => { $(
        fn $method(self, value: $type) -> Result<Kind, Error> {
            Ok(self.put(&value.to_string(), Kind::Int))
        }
    )* };
}

impl<'a> ser::Serializer for ResponseWriter<'a> {
    type Ok = Kind;
    type Error = Error;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
    }

    fn serialize_bool(self, value: bool) -> Result<Kind, Error> {
        let text = if self.is_plain { boolean(value).to_owned() } else { value.to_string() };
        Ok(self.put(&text, Kind::Other))
    }

    /// Python has doubles only: the double with the same digits.
    fn serialize_f32(self, value: f32) -> Result<Kind, Error> {
        self.serialize_f64(value.to_string().parse().unwrap_or_else(|_| value.into()))
    }

    fn serialize_f64(self, value: f64) -> Result<Kind, Error> {
        let text = match value {
            _ if value.is_finite() || self.is_plain => float(value),
            _ if value.is_nan() => "NaN".to_owned(),
            _ => if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        };
        Ok(self.put(&text, Kind::Other))
    }

    fn serialize_char(self, value: char) -> Result<Kind, Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Kind, Error> {
        if self.is_plain {
            self.out.push_str(value);
        } else {
            write_string(self.out, value, self.style.ascii);
        }
        Ok(Kind::Text)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Kind, Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<Kind, Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Kind, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Kind, Error> {
        Ok(self.put("null", Kind::None))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Kind, Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Kind, Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Kind, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Kind, Error> {
        let mut parts = self.open('{', "}");
        ser::SerializeStruct::serialize_field(&mut parts, variant, value)?;
        Ok(parts.close())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.open('[', "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Error> {
        Ok(self.open_variant(variant, '[', "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Error> {
        Ok(self.open('{', "}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Error> {
        Ok(self.open('{', "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Error> {
        Ok(self.open_variant(variant, '{', "}}"))
    }
}

/// The inside of a list or a mapping.
struct Parts<'a> {
    out: &'a mut String,
    style: JsonStyle,
    closing: &'static str,
    count: usize,
    /// Kept until the last member: they may be sorted by name.
    members: Vec<(Name, String)>,
    name: Option<Name>,
}

/// The name of a member. Python sorts whole numbers as numbers, and texts by code point, which is the order of their
/// UTF-8 bytes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Int(i128),
    Text(String),
}

impl Parts<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        value.serialize(ResponseWriter { out: self.out, style: self.style, is_plain: false }).map(drop)
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: Name, value: &T) -> Result<(), Error> {
        self.members.push((name, dumps(value, self.style)?.0));
        Ok(())
    }

    fn separate(&mut self) {
        if self.count > 0 {
            self.out.push_str(if self.style.compact { "," } else { ", " });
        }
        self.count += 1;
    }

    fn close(mut self) -> Kind {
        let mut members = std::mem::take(&mut self.members);
        if self.style.sorted {
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        for (name, value) in members {
            self.separate();
            let name = match name {
                Name::Int(number) => number.to_string(),
                Name::Text(text) => text,
            };
            write_string(self.out, &name, self.style.ascii);
            self.out.push_str(colon(self.style));
            self.out.push_str(&value);
        }
        self.out.push_str(self.closing);
        Kind::Other
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident,)*) => { $(
        impl ser::$trait for Parts<'_> {
            type Ok = Kind;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<Kind, Error> {
                Ok(self.close())
            }
        }
    )* };
}

macro_rules! fields {
    ($($trait:ident,)*) => { $(
        impl ser::$trait for Parts<'_> {
            type Ok = Kind;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.member(Name::Text(name.to_owned()), value)
            }

            fn end(self) -> Result<Kind, Error> {
                Ok(self.close())
            }
        }
    )* };
}

items! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

fields! { SerializeStruct, SerializeStructVariant, }

impl ser::SerializeMap for Parts<'_> {
    type Ok = Kind;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.name = Some(match plain(key, self.style)? {
            (text, Kind::Text) => Name::Text(text),
            (text, Kind::Int) => text.parse().map_or(Name::Text(text), Name::Int),
            _ => return Err(Error::custom("map keys must be strings or integers")),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = self.name.take().ok_or_else(|| Error::custom("map value without a key"))?;
        self.member(name, value)
    }

    fn end(self) -> Result<Kind, Error> {
        Ok(self.close())
    }
}

fn colon(how: JsonStyle) -> &'static str {
    if how.compact { ":" } else { ": " }
}

fn write_string(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
