//! Rejected functions, with position and message of the error. Accepted ones are tested in cache-core's tests.

use rstest::rstest;

use super::expand;

const FUNCTION: &str = "async fn f(results: &ResultCache, id: u32) -> u32 { id }";

#[rstest]
#[case::unknown_option(
    "tll = \"24h\"",
    FUNCTION,
    "tll",
    "unknown option `tll`; expected `ttl`, `prefix`, `schema`, `cache` or `skip(…)`"
)]
#[case::option_twice("ttl = \"1h\", ttl = \"2h\"", FUNCTION, "ttl", "duplicate option `ttl`")]
#[case::number_as_ttl(
    "ttl = 3600",
    FUNCTION,
    "3600",
    "`ttl` must be a duration such as \"24h\" or an expression of type `Duration`"
)]
#[case::not_a_text("prefix = anime", FUNCTION, "anime", "expected string literal")]
#[case::not_a_duration(
    "ttl = \"a day\"",
    FUNCTION,
    "\"a day\"",
    "`ttl` must be a duration such as \"24h\" or \"90m\": expected number at 0"
)]
#[case::no_duration("ttl = \"0s\"", FUNCTION, "\"0s\"", "`ttl` must be at least 1 second")]
#[case::colon_in_prefix("prefix = \"a:b\"", FUNCTION, "\"a:b\"", "`prefix` must not be empty or contain `:`")]
#[case::empty_prefix("prefix = \"\"", FUNCTION, "\"\"", "`prefix` must not be empty or contain `:`")]
#[case::schema_too_short(
    "schema = \"82fce6a0\"",
    FUNCTION,
    "\"82fce6a0\"",
    "`schema` must be 16 lowercase hexadecimal digits"
)]
#[case::schema_in_capitals(
    "schema = \"82FCE6A05E45281A\"",
    FUNCTION,
    "\"82FCE6A05E45281A\"",
    "`schema` must be 16 lowercase hexadecimal digits"
)]
#[case::unknown_argument("skip(id, client)", FUNCTION, "client", "no argument named `client`")]
#[case::not_async("", "fn f(results: &ResultCache) -> u32 { 1 }", "fn", "`#[cached_result]` requires an `async fn`")]
#[case::no_function("", "struct Anime;", "struct", "expected `fn`")]
#[case::returns_nothing("", "async fn f(results: &ResultCache) { g().await }", "f", "the function must return a value")]
#[case::returns_unit(
    "",
    "async fn f(results: &ResultCache) -> () { g().await }",
    "()",
    "the function must return a value"
)]
#[case::returns_an_impl(
    "",
    "async fn f(results: &ResultCache) -> impl Display { 1 }",
    "impl Display",
    "`impl Trait` return types are not supported"
)]
#[case::no_cache(
    "",
    "async fn f(id: u32) -> u32 { id }",
    "(id: u32)",
    "no cache: add an argument of type `&ResultCache` or `&Cache`, or the option `cache = …`"
)]
#[case::pattern(
    "",
    "async fn f(results: &ResultCache, (a, b): (u8, u8)) -> u8 { a + b }",
    "(a, b)",
    "arguments must be plain identifiers because their values are part of the key"
)]
#[case::method(
    "cache = self.results",
    "async fn f(&self, id: u32) -> u32 { id }",
    "&self",
    "`self` cannot be part of the key; if the result does not depend on it, add `skip(self)`, a unique `prefix = \"…\"` and `cache = …`"
)]
#[case::method_without_prefix(
    "skip(self), cache = self.results",
    "async fn f(&self) -> u32 { 1 }",
    "&self",
    "`self` cannot be part of the key; if the result does not depend on it, add `skip(self)`, a unique `prefix = \"…\"` and `cache = …`"
)]
fn the_fault_is_named_where_it_is(
    #[case] options: &str,
    #[case] function: &str,
    #[case] place: &str,
    #[case] message: &str,
) {
    let error = expand(options.parse().unwrap(), function.parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.span().source_text().as_deref(), Some(place));
}
