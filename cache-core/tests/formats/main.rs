//! Recorded files and keys of the real programs.

#![allow(clippy::unwrap_used)]

#[cfg(feature = "sqlite")]
#[path = "../harness/services.rs"]
mod services;
#[cfg(feature = "sqlite")]
mod sqlite;

use cache_core::{FormValue, RequestPayload, pipeline_key};

#[test]
fn pipeline_keys_are_the_recorded_ones() {
    // The worked keys of the pipeline, computed with its own code.
    let get = |url: &str, params: &[(&str, &str)]| {
        let form = FormValue::pairs(params.iter().copied());
        let payload = RequestPayload { params: (!params.is_empty()).then_some(&form), ..RequestPayload::default() };
        pipeline_key("GET", url, &payload).to_string()
    };
    assert_eq!(
        get("https://api.jikan.moe/v4/anime/1/full", &[]),
        "GET:444dfee7563f94510277001649c36877b0832ca404d0cce8ebe7c498dd633bae"
    );
    assert_eq!(
        get("https://kitsu.io/api/edge/anime/1/episodes", &[("page[offset]", "0"), ("page[limit]", "20")]),
        "GET:1ee6ae4830b093817b18840667b839a063484e7f1a9dc3806487874ad2ee5582"
    );
    assert_eq!(
        get(
            "http://api.anidb.net:9001/httpapi",
            &[
                ("request", "anime"),
                ("client", "animeenrichment"),
                ("clientver", "1.0"),
                ("protover", "1"),
                ("aid", "23")
            ]
        ),
        "GET:45fd4be866ff306bb7cc30eb66d95353bc984b69ab483da731723f60a9175c16"
    );
    assert_eq!(
        get("https://animeschedule.net/api/v3/anime?q=Cowboy Bebop", &[]),
        "GET:fe580aee8a614dce869ab732d55a11eb5e80d1c6eeae9de1f62bc1d8a6420348"
    );
}
