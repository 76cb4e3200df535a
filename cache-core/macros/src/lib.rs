//! The attribute macro `#[cached_result]` of cache-core, where it is documented.

mod expand;
mod fingerprint;
mod options;

use proc_macro::TokenStream;

/// Caches the return value of an async function.
#[proc_macro_attribute]
pub fn cached_result(options: TokenStream, function: TokenStream) -> TokenStream {
    let function_as_written = proc_macro2::TokenStream::from(function.clone());
    match expand::expand(options.into(), function.into()) {
        Ok(cached) => cached.into(),
        // The function is kept, so that its callers cause no further errors.
        Err(error) => {
            [error.to_compile_error(), function_as_written].into_iter().collect::<proc_macro2::TokenStream>().into()
        }
    }
}
