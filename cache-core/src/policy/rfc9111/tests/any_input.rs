//! Invariants for arbitrary requests, responses and damaged entries.

use proptest::prelude::*;

use crate::policy::rfc9111::tests::*;

const NAMES: [&str; 18] = [
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "date",
    "etag",
    "expires",
    "foo",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "keep-alive",
    "last-modified",
    "pragma",
    "range",
    "vary",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        // Directives and lists, valid and invalid.
        proptest::collection::vec(
            prop_oneof![
                Just("max-age=60"),
                Just("no-cache"),
                Just("no-cache=\"foo, etag\""),
                Just("private"),
                Just("must-understand"),
                Just("s-maxage=99999999999999999999"),
                Just("stale-while-revalidate=100"),
                Just("stale-if-error=100"),
                Just("max-stale"),
                Just("only-if-cached"),
                Just("public"),
                Just("foo"),
                Just("*"),
                Just("\"a\""),
                Just("W/\"b\""),
                Just("\""),
                Just(""),
            ],
            0..4
        )
        .prop_map(|members| members.join(", ")),
        Just(DATE.to_owned()),
        Just(BEFORE.to_owned()),
        "bytes=[0-9]{0,20}-[0-9]{0,20}",
        "[0-9]{1,30}",
        ".{0,12}",
    ]
}

fn fields() -> impl Strategy<Value = Headers> {
    proptest::collection::vec((proptest::sample::select(&NAMES), value()), 0..8)
        .prop_map(|fields| fields.iter().map(|(name, value)| (*name, value.as_str())).collect())
}

fn asked() -> impl Strategy<Value = Request> {
    let method =
        prop_oneof![8 => Just("GET"), 2 => Just("HEAD"), 2 => Just("POST"), 1 => "[a-zA-Z]{0,5}".prop_map(|_| "x")];
    (method, fields()).prop_map(|(method, headers)| Request { headers, ..request(method, &[]) })
}

fn answered() -> impl Strategy<Value = Response> {
    let status = prop_oneof![Just(200), Just(304), Just(206), Just(503), 0..=999_u16];
    (status, fields()).prop_map(|(status, headers)| Response { headers, ..response(status, &[]) })
}

fn time() -> impl Strategy<Value = f64> {
    prop_oneof![START - 100.0..START + 10_000.0, Just(0.0), Just(f64::NAN), Just(f64::INFINITY), any::<f64>()]
}

fn found() -> impl Strategy<Value = StoredResponse> {
    (asked(), answered(), proptest::option::of(time()), proptest::option::of(0..20_usize)).prop_map(
        |(request, response, created_at, length)| {
            let id = Uuid::nil();
            let cache_key = hishel1_key(b"a");
            let entry = Entry { id, cache_key, request, response, created_at, deleted_at: None };
            let body = length.map(|length| Bytes::from(vec![0; length]));
            StoredResponse {
                id: EntryId::Http(StorageLayout::Pipeline, id),
                entry: Arc::new(entry),
                expires_at: None,
                body,
            }
        },
    )
}

fn check_serve(serve: &ServeStored, request: &Request, stored: &[StoredResponse]) {
    let found = &stored[serve.index];
    let served = serve.response.as_ref().expect("the heads always carry an age or are new");
    assert!(matches!(request.method.as_str(), "GET" | "HEAD"), "{request:?}");
    assert_eq!(found.entry.request.method, "GET");
    let has_body = request.method == "GET" && !matches!(served.status_code, 304 | 416);
    assert_eq!(serve.body != BodyRange::None, has_body, "{served:?}");
    if let (BodyRange::Range(first, last), Some(body)) = (serve.body, &found.body) {
        assert!(first <= last && last < body.len() as u64);
    }
}

proptest! {
    #[test]
    fn decisions_are_sound(
        request in asked(),
        new in answered(),
        stored in proptest::collection::vec(found(), 0..4),
        is_shared: bool,
        at in START..START + 5_000.0,
    ) {
        let policy = Rfc9111 { is_shared, ..Rfc9111::default() };
        let sent = match policy.decide(&request, &stored, at) {
            Decision::ServeStored(serve) => {
                check_serve(&serve, &request, &stored);
                let heads = &stored[serve.index].entry.response.headers;
                let directives = ResponseDirectives::from_view(heads);
                prop_assert!(!(directives.no_cache || serve.is_stale && directives.must_revalidate));
                prop_assert!(!crate::policy::vary::is_anything(heads));
                serve.refresh.map_or_else(|| request.clone(), |refresh| refresh.request)
            }
            Decision::Forward(forward) => forward.request,
            Decision::Unsatisfiable => request.clone(),
        };
        let exchange = Exchange { request: &request, sent: &sent, stored: &stored, requested_at: at, now: at + 1.0 };
        let outcome = policy.receive(exchange, &new);
        match &outcome.reply {
            Reply::Origin(Some(storing)) => {
                prop_assert!(storing.replaces.iter().all(|index| *index < stored.len()));
                let heads = &storing.response.headers;
                prop_assert!(heads.get("connection").is_none() && heads.get("keep-alive").is_none());
                prop_assert!(!matches!(storing.response.status_code, 0..200 | 206 | 304));
                prop_assert_eq!(&storing.request.method, "GET");
            }
            Reply::Validated(serve) | Reply::InsteadOfError(serve) => check_serve(serve, &request, &stored),
            Reply::Origin(None) => {}
            Reply::Mismatch => prop_assert_eq!(new.status_code, 304),
        }
        let mut changed = outcome.removals.iter().chain(outcome.updates.iter().map(|update| &update.index));
        prop_assert!(changed.all(|index| *index < stored.len()));
        if let Some(serve) = policy.unreachable(exchange) {
            check_serve(&serve, &request, &stored);
        }
    }
}
