//! The places of a text that are masked, and the text with the mask in them.

use std::borrow::Cow;
use std::ops::Range;

/// Replaces a secret.
pub const MASK: &str = "***";

/// Masks the credentials of a text, within another one.
pub(crate) type MaskText = fn(&str) -> Cow<'_, str>;

/// Places to mask in one text, in any order.
#[derive(Default)]
pub(crate) struct Places(Vec<(Range<usize>, Cow<'static, str>)>);

impl Places {
    /// A place that becomes [`MASK`]; an empty one stays.
    pub(crate) fn add(&mut self, place: Range<usize>) {
        self.replace(place, MASK.into());
    }

    /// A place that becomes another text; an empty one stays.
    pub(crate) fn replace(&mut self, place: Range<usize>, with: Cow<'static, str>) {
        if !place.is_empty() {
            self.0.push((place, with));
        }
    }

    /// The text with its places replaced. Of places that overlap, the first one counts, until the last one ends.
    pub(crate) fn apply(mut self, text: &str) -> Cow<'_, str> {
        if self.0.is_empty() {
            return text.into();
        }
        self.0.sort_by(|(a, _), (b, _)| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
        let mut out = String::with_capacity(text.len());
        let (mut kept, mut is_first) = (0, true);
        for (place, with) in self.0 {
            // Neighbors are one secret.
            if place.start > kept || is_first {
                out.push_str(&text[kept..place.start]);
                out.push_str(&with);
                is_first = false;
            }
            kept = kept.max(place.end);
        }
        out.push_str(&text[kept..]);
        out.into()
    }
}
