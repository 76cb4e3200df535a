//! Styles by role, from `assets/theme.toml`.

use anyhow::{Context, Result};
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// The colors.
pub const THEME: &str = include_str!("../../../assets/theme.toml");

macro_rules! theme {
    ($($role:ident,)*) => {
        /// A style for each role.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Theme {
            $(#[doc = concat!("`", stringify!($role), "`")] #[serde(deserialize_with = "style")] pub $role: Style,)*
        }

        impl Theme {
            fn for_each(&mut self, change: impl Fn(&mut Style)) {
                $(change(&mut self.$role);)*
            }
        }
    };
}

theme! {
    title, tab, tab_open, location, dim, faint, text, strong, frame, frame_focused, heading, heading_sorted, selected,
    selected_unfocused, in_range, mark, key, good, note, bad, error, badge_demo, badge_read_only, badge_fallback,
    badge_lost, dialog, dialog_frame, json_name, json_text, json_number, json_word,
}

/// Marks "only without colors" while a style is parsed; roles do not use it otherwise.
const REVERSED_WITHOUT_COLOR: Modifier = Modifier::SLOW_BLINK;

const UNDERLINED_WITHOUT_COLOR: Modifier = Modifier::RAPID_BLINK;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Words {
    fg: Option<String>,
    bg: Option<String>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    reversed_without_color: bool,
    #[serde(default)]
    underlined_without_color: bool,
}

fn style<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Style, D::Error> {
    let words = Words::deserialize(deserializer)?;
    let color = |name: Option<String>| {
        name.map(|name| name.parse::<Color>().map_err(|_| serde::de::Error::custom(format!("unknown color '{name}'"))))
            .transpose()
    };
    let mut style = Style { fg: color(words.fg)?, bg: color(words.bg)?, ..Style::default() };
    for (is_set, modifier) in [
        (words.bold, Modifier::BOLD),
        (words.reversed_without_color, REVERSED_WITHOUT_COLOR),
        (words.underlined_without_color, UNDERLINED_WITHOUT_COLOR),
    ] {
        if is_set {
            style = style.add_modifier(modifier);
        }
    }
    Ok(style)
}

impl Theme {
    /// Parses a theme; without colors, only other attributes are used.
    ///
    /// # Errors
    /// Missing or unknown roles, and invalid colors.
    pub fn parse(text: &str, has_color: bool) -> Result<Self> {
        let mut theme: Self = toml::from_str(text).context("theme")?;
        theme.for_each(|style| {
            let instead =
                [(REVERSED_WITHOUT_COLOR, Modifier::REVERSED), (UNDERLINED_WITHOUT_COLOR, Modifier::UNDERLINED)];
            for (mark, modifier) in instead {
                if style.add_modifier.contains(mark) {
                    *style = Style { add_modifier: style.add_modifier - mark, ..*style };
                    if !has_color {
                        *style = style.add_modifier(modifier);
                    }
                }
            }
            if !has_color {
                (style.fg, style.bg) = (None, None);
            }
        });
        Ok(theme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_is_seen_with_and_without_colours() {
        let colored = Theme::parse(THEME, true).unwrap();
        assert!(colored.selected.bg.is_some() && !colored.selected.add_modifier.contains(Modifier::REVERSED));
        let plain = Theme::parse(THEME, false).unwrap();
        assert_eq!((plain.selected.fg, plain.selected.bg), (None, None));
        assert!(plain.selected.add_modifier.contains(Modifier::REVERSED));
    }
}
