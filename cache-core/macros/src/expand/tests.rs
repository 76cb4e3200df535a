//! What is refused, where, and with which words. What is accepted runs in cache-core's tests.

use rstest::rstest;

use super::expand;

const FUNCTION: &str = "async fn f(results: &ResultCache, id: u32) -> u32 { id }";

#[rstest]
#[case::unknown_option(
    "tll = \"24h\"",
    FUNCTION,
    "tll",
    "`tll` is no option of `cached_result`: known are `ttl`, `prefix`, `schema`, `cache` and `skip(…)`"
)]
#[case::option_twice("ttl = \"1h\", ttl = \"2h\"", FUNCTION, "ttl", "`ttl` is given twice")]
#[case::number_as_ttl(
    "ttl = 3600",
    FUNCTION,
    "3600",
    "`ttl` is a duration such as \"24h\", or an expression that is one"
)]
#[case::not_a_text("prefix = anime", FUNCTION, "anime", "expected string literal")]
#[case::not_a_duration(
    "ttl = \"a day\"",
    FUNCTION,
    "\"a day\"",
    "`ttl` is a duration such as \"24h\" or \"90m\": expected number at 0"
)]
#[case::no_duration("ttl = \"0s\"", FUNCTION, "\"0s\"", "a result must live for a second at least")]
#[case::colon_in_prefix("prefix = \"a:b\"", FUNCTION, "\"a:b\"", "a prefix is a name without `:`")]
#[case::empty_prefix("prefix = \"\"", FUNCTION, "\"\"", "a prefix is a name without `:`")]
#[case::schema_too_short(
    "schema = \"82fce6a0\"",
    FUNCTION,
    "\"82fce6a0\"",
    "a schema hash has 16 hexadecimal digits, in lower case"
)]
#[case::schema_in_capitals(
    "schema = \"82FCE6A05E45281A\"",
    FUNCTION,
    "\"82FCE6A05E45281A\"",
    "a schema hash has 16 hexadecimal digits, in lower case"
)]
#[case::unknown_argument("skip(id, client)", FUNCTION, "client", "there is no argument `client`")]
#[case::not_async("", "fn f(results: &ResultCache) -> u32 { 1 }", "fn", "`cached_result` is for async functions")]
#[case::no_function("", "struct Anime;", "struct", "expected `fn`")]
#[case::returns_nothing(
    "",
    "async fn f(results: &ResultCache) { g().await }",
    "f",
    "there is nothing to cache: this returns nothing"
)]
#[case::returns_unit(
    "",
    "async fn f(results: &ResultCache) -> () { g().await }",
    "()",
    "there is nothing to cache: this returns nothing"
)]
#[case::returns_an_impl(
    "",
    "async fn f(results: &ResultCache) -> impl Display { 1 }",
    "impl Display",
    "what is cached must have a type with a name"
)]
#[case::no_cache(
    "",
    "async fn f(id: u32) -> u32 { id }",
    "(id: u32)",
    "which cache? Take a `&ResultCache` or a `&Cache`, or say where one is with `cache = …`"
)]
#[case::pattern(
    "",
    "async fn f(results: &ResultCache, (a, b): (u8, u8)) -> u8 { a + b }",
    "(a, b)",
    "give this argument a name: its value is part of the key"
)]
#[case::method(
    "cache = self.results",
    "async fn f(&self, id: u32) -> u32 { id }",
    "&self",
    "`self` is no part of the key: if nothing that is returned depends on it, say so with `skip(self)`, and give the method a `prefix = \"…\"` that no other type's has, and a `cache = …`"
)]
#[case::method_without_prefix(
    "skip(self), cache = self.results",
    "async fn f(&self) -> u32 { 1 }",
    "&self",
    "`self` is no part of the key: if nothing that is returned depends on it, say so with `skip(self)`, and give the method a `prefix = \"…\"` that no other type's has, and a `cache = …`"
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
