//! Styles by role, from `assets/theme.toml`.

use anyhow::{Context, Result};
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// The colors for a dark background.
pub const THEME: &str = include_str!("../../../assets/theme.toml");

/// The colors for a light background.
pub const LIGHT_THEME: &str = include_str!("../../../assets/theme-light.toml");

/// The themes for each background.
#[derive(Clone, Debug)]
pub struct Themes {
    dark: Theme,
    light: Theme,
}

impl Themes {
    /// Parses both themes.
    ///
    /// # Errors
    /// See [`Theme::parse`].
    pub fn load(has_color: bool) -> Result<Self> {
        Ok(Self { dark: Theme::parse(THEME, has_color)?, light: Theme::parse(LIGHT_THEME, has_color)? })
    }

    /// The theme for a background.
    pub fn of(&self, is_light: bool) -> &Theme {
        if is_light { &self.light } else { &self.dark }
    }
}

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
    use rstest::rstest;

    /// The relative luminance of a color of the 256-color palette (WCAG 2).
    fn luminance(color: Color) -> f64 {
        let Color::Indexed(index) = color else { panic!("{color:?}") };
        let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
        let [red, green, blue] = match index {
            16..=231 => [(index - 16) / 36, (index - 16) / 6 % 6, (index - 16) % 6].map(level),
            232.. => [8 + 10 * (index - 232); 3],
            _ => panic!("the terminal chooses color {index}"),
        };
        luminance_of([red, green, blue])
    }

    fn luminance_of(rgb: [u8; 3]) -> f64 {
        let [red, green, blue] = rgb.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[rstest]
    #[case::black(THEME, [0x00, 0x00, 0x00])]
    #[case::dark(THEME, [0x1e, 0x1e, 0x1e])]
    #[case::white(LIGHT_THEME, [0xff, 0xff, 0xff])]
    #[case::cream(LIGHT_THEME, [0xfd, 0xf6, 0xe3])]
    fn text_has_enough_contrast(#[case] theme: &str, #[case] background: [u8; 3]) {
        let mut roles: toml::Table = toml::from_str(theme).unwrap();
        for decoration in ["frame", "frame-focused", "dialog-frame"] {
            roles.remove(decoration).unwrap();
        }
        for (role, style) in roles {
            let color = |name: &str| style.get(name).map(|color| color.as_str().unwrap().parse::<Color>().unwrap());
            let text = luminance(color("fg").unwrap_or_else(|| panic!("{role} has no color of its own")));
            let behind = color("bg").map_or_else(|| luminance_of(background), luminance);
            let contrast = (text.max(behind) + 0.05) / (text.min(behind) + 0.05);
            assert!(contrast >= 4.5, "{role}: {contrast:.1}");
        }
    }

    #[test]
    fn the_selection_is_seen_with_and_without_colours() {
        let colored = Theme::parse(THEME, true).unwrap();
        assert!(colored.selected.bg.is_some() && !colored.selected.add_modifier.contains(Modifier::REVERSED));
        let plain = Theme::parse(THEME, false).unwrap();
        assert_eq!((plain.selected.fg, plain.selected.bg), (None, None));
        assert!(plain.selected.add_modifier.contains(Modifier::REVERSED));
    }
}
