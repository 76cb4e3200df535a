//! [`pages`]: a stream over all pages of a scan.

use std::sync::Arc;

use futures_util::stream;
use futures_util::stream::Stream;

use crate::error::Result;
use crate::model::filter::Filter;
use crate::store::inspect::Inspect;
use crate::store::page::{Cursor, Page};

/// How many keys one page reads: enough to make round trips cheap, few enough to let other clients in between.
pub const PAGE: usize = 2_000;

/// All pages of the entries that match. The stream ends after the first error.
pub fn pages(store: Arc<dyn Inspect>, filter: Filter) -> impl Stream<Item = Result<Page>> + Send {
    enum Next {
        Page(Option<Cursor>),
        End,
    }
    stream::unfold(Next::Page(None), move |next| {
        let (store, filter) = (Arc::clone(&store), filter.clone());
        async move {
            let Next::Page(from) = next else { return None };
            match store.scan(&filter, from, PAGE).await {
                Ok(mut page) => {
                    let next = page.next.take().map_or(Next::End, |cursor| Next::Page(Some(cursor)));
                    Some((Ok(page), next))
                }
                Err(error) => Some((Err(error), Next::End)),
            }
        }
    })
}
