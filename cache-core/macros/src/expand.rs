//! The expanded function: a lookup around its body.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Error, Expr, FnArg, Ident, ItemFn, LitStr, Pat, Result, ReturnType, Signature, Type, parse_quote};

use crate::fingerprint::fingerprint;
use crate::options::Options;

pub fn expand(options: TokenStream, function: TokenStream) -> Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    let mut function: ItemFn = syn::parse2(function)?;
    if function.sig.asyncness.is_none() {
        return Err(Error::new(function.sig.fn_token.span, "`#[cached_result]` requires an `async fn`"));
    }
    let output = returned(&function.sig)?;
    let arguments = arguments(&function.sig, &options)?;
    let cache = match options.cache {
        Some(cache) => cache,
        None => cache_among(&arguments, &function.sig)?,
    };

    let keyed = arguments
        .iter()
        .filter(|argument| !options.skip.contains(argument.name) && !is_path_to(&cache, argument.name))
        .map(|Argument { name, r#type }| quote_spanned!(r#type.span()=> .argument(&#name)));
    let name = LitStr::new(&function.sig.ident.unraw().to_string(), function.sig.ident.span());
    let prefix = options.prefix.unwrap_or(name);
    // Only with a schema of another program can a result be shared with it.
    let (new, schema) = match options.schema {
        Some(schema) => (quote!(new), schema.into_token_stream()),
        None => (quote!(distinct), schema_of(&function)),
    };
    let ttl = options.ttl.map(|ttl| quote!(.ttl(#ttl)));
    let (method, check) = if has_name(output, &["Result"]) {
        (quote!(get_or_try_compute), None)
    } else {
        (quote!(get_or_compute), Some(not_a_result(output)))
    };

    // Names that the body cannot see.
    let results = Ident::new("results", Span::mixed_site());
    let call = Ident::new("call", Span::mixed_site());
    let body = &function.block;
    function.block = parse_quote!({
        #check
        let #results = ::core::clone::Clone::clone(
            ::core::convert::AsRef::<::cache_core::ResultCache>::as_ref(&#cache)
        );
        let #call = ::cache_core::Call::#new(#prefix, #schema) #ttl #(#keyed)*;
        #results.#method(&#call, async move || -> #output #body).await
    });
    Ok(function.into_token_stream())
}

/// The expression of the stored value.
fn returned(signature: &Signature) -> Result<&Type> {
    match &signature.output {
        ReturnType::Default => Err(Error::new(signature.ident.span(), "the function must return a value")),
        ReturnType::Type(_, output) => match &**output {
            Type::Tuple(tuple) if tuple.elems.is_empty() => {
                Err(Error::new(output.span(), "the function must return a value"))
            }
            Type::ImplTrait(_) => Err(Error::new(output.span(), "`impl Trait` return types are not supported")),
            output => Ok(output),
        },
    }
}

struct Argument<'a> {
    name: &'a Ident,
    r#type: &'a Type,
}

/// The arguments except `self`.
fn arguments<'a>(signature: &'a Signature, options: &Options) -> Result<Vec<Argument<'a>>> {
    let mut skipped_in_vain: Vec<&Ident> = options.skip.iter().collect();
    let mut arguments = Vec::new();
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                let before = skipped_in_vain.len();
                skipped_in_vain.retain(|name| *name != "self");
                if skipped_in_vain.len() == before || options.prefix.is_none() || options.cache.is_none() {
                    return Err(Error::new(
                        receiver.span(),
                        "`self` cannot be part of the key; if the result does not depend on it, add `skip(self)`, a \
                         unique `prefix = \"…\"` and `cache = …`",
                    ));
                }
            }
            FnArg::Typed(typed) => {
                let Pat::Ident(pattern) = &*typed.pat else {
                    return Err(Error::new(
                        typed.pat.span(),
                        "arguments must be plain identifiers because their values are part of the key",
                    ));
                };
                skipped_in_vain.retain(|name| **name != pattern.ident);
                arguments.push(Argument { name: &pattern.ident, r#type: &typed.ty });
            }
        }
    }
    match skipped_in_vain.first() {
        Some(name) => Err(Error::new(name.span(), format!("no argument named `{name}`"))),
        None => Ok(arguments),
    }
}

/// The argument that is a cache.
fn cache_among(arguments: &[Argument], signature: &Signature) -> Result<Expr> {
    match arguments.iter().find(|argument| has_name(argument.r#type, &["ResultCache", "Cache"])) {
        Some(Argument { name, .. }) => Ok(parse_quote!(#name)),
        None => Err(Error::new(
            signature.paren_token.span.join(),
            "no cache: add an argument of type `&ResultCache` or `&Cache`, or the option `cache = …`",
        )),
    }
}

/// Whether a type, or the target of a reference, has one of these names, in any module.
fn has_name(r#type: &Type, names: &[&str]) -> bool {
    match r#type {
        Type::Reference(reference) => has_name(&reference.elem, names),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name)),
        _ => false,
    }
}

fn is_path_to(expression: &Expr, name: &Ident) -> bool {
    matches!(expression, Expr::Path(path) if path.path.is_ident(name))
}

/// The schema hash of the function's code and module: functions in two modules may have equal tokens, and mean
/// different things by the names that they use. It includes the format of the keys: another one may have equal keys for
/// other arguments.
fn schema_of(function: &ItemFn) -> TokenStream {
    let (signature, body) = (&function.sig, &function.block);
    let fingerprint = fingerprint(quote!(#signature #body));
    quote!({
        static SCHEMA: ::std::sync::LazyLock<::std::string::String> = ::std::sync::LazyLock::new(|| {
            ::cache_core::Call::schema_hash(::core::concat!(::core::module_path!(), " distinct ", #fingerprint))
        });
        &SCHEMA
    })
}

/// Fails to compile if a type is an alias of [`Result`]: its errors would be cached.
fn not_a_result(output: &Type) -> TokenStream {
    quote! {
        {
            struct Returned<T>(::core::marker::PhantomData<T>);
            #[allow(dead_code)]
            impl<T, E> Returned<::core::result::Result<T, E>> {
                const IS_RESULT: bool = true;
            }
            #[allow(dead_code)]
            trait Otherwise {
                const IS_RESULT: bool = false;
            }
            impl<T> Otherwise for Returned<T> {}
            const {
                ::core::assert!(!Returned::<#output>::IS_RESULT, "spell the return type as `Result<…>`; through an alias, errors would be cached")
            }
        }
    }
}

#[cfg(test)]
mod tests;
