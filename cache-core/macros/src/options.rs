//! The options of `#[cached_result(…)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Result, Token, parenthesized};

/// The options of one cached function.
#[derive(Default)]
pub struct Options {
    /// An expression: a `Duration`.
    pub ttl: Option<TokenStream>,
    pub prefix: Option<LitStr>,
    pub schema: Option<LitStr>,
    /// The expression of the cache.
    pub cache: Option<Expr>,
    /// Arguments that are not part of the key.
    pub skip: Vec<Ident>,
}

impl Parse for Options {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            if seen.contains(&name) {
                return Err(Error::new(name.span(), format!("duplicate option `{name}`")));
            }
            options.parse_one(&name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn parse_one(&mut self, name: &Ident, input: ParseStream) -> Result<()> {
        if name == "skip" {
            let names;
            parenthesized!(names in input);
            self.skip =
                Punctuated::<Ident, Token![,]>::parse_terminated_with(&names, Ident::parse_any)?.into_iter().collect();
            return Ok(());
        }
        if !["ttl", "prefix", "schema", "cache"].iter().any(|known| name == known) {
            let known = "expected `ttl`, `prefix`, `schema`, `cache` or `skip(…)`";
            return Err(Error::new(name.span(), format!("unknown option `{name}`; {known}")));
        }
        input.parse::<Token![=]>()?;
        if name == "cache" {
            self.cache = Some(input.parse()?);
            return Ok(());
        }
        if name == "ttl" {
            self.ttl = Some(match input.parse()? {
                Expr::Lit(ExprLit { lit, .. }) => duration(&lit)?,
                computed => computed.into_token_stream(),
            });
            return Ok(());
        }
        let text: LitStr = input.parse()?;
        if name == "prefix" {
            self.prefix = Some(prefix(text)?);
        } else {
            self.schema = Some(schema(text)?);
        }
        Ok(())
    }
}

fn duration(literal: &Lit) -> Result<TokenStream> {
    let Lit::Str(text) = literal else {
        return Err(Error::new(
            literal.span(),
            "`ttl` must be a duration such as \"24h\" or an expression of type `Duration`",
        ));
    };
    match humantime::parse_duration(&text.value()) {
        Ok(duration) if duration.as_secs() > 0 => {
            let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
            Ok(quote!(::core::time::Duration::new(#seconds, #nanoseconds)))
        }
        Ok(_) => Err(Error::new(text.span(), "`ttl` must be at least 1 second")),
        Err(error) => {
            Err(Error::new(text.span(), format!("`ttl` must be a duration such as \"24h\" or \"90m\": {error}")))
        }
    }
}

/// A colon would end it: the text after it would count as an argument.
fn prefix(text: LitStr) -> Result<LitStr> {
    if text.value().is_empty() || text.value().contains(':') {
        return Err(Error::new(text.span(), "`prefix` must not be empty or contain `:`"));
    }
    Ok(text)
}

fn schema(text: LitStr) -> Result<LitStr> {
    let digits = text.value();
    if digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(text);
    }
    Err(Error::new(text.span(), "`schema` must be 16 lowercase hexadecimal digits"))
}
