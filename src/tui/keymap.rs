//! Key bindings: the [`Action`] of each key by mode, from `assets/keymap.toml`.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, anyhow, bail};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::Deserialize;

use crate::tui::action::Action;

/// The bindings.
pub const KEYMAP: &str = include_str!("../../assets/keymap.toml");

/// The mode that decides which bindings apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In the table of entries.
    Table,
    /// In the tree.
    Tree,
    /// In the inspector.
    Inspector,
    /// In the watch panel.
    Watch,
    /// On the Enrich tab.
    Enrich,
    /// In the search line of titles.
    Search,
    /// In the filter line.
    Filter,
    /// In a question with yes or no.
    Confirm,
    /// In the input of a dialog.
    Input,
    /// In the help.
    Help,
    /// In all panes, unless the pane has its own binding.
    Browse,
    /// In all modes, unless the mode has its own binding.
    Everywhere,
}

impl Mode {
    /// The modes to look up a key in, in order.
    pub fn scopes(self) -> &'static [Mode] {
        match self {
            Self::Table => &[Self::Table, Self::Browse, Self::Everywhere],
            Self::Tree => &[Self::Tree, Self::Browse, Self::Everywhere],
            Self::Inspector => &[Self::Inspector, Self::Browse, Self::Everywhere],
            Self::Watch => &[Self::Watch, Self::Everywhere],
            Self::Enrich => &[Self::Enrich, Self::Everywhere],
            Self::Search => &[Self::Search, Self::Everywhere],
            Self::Filter => &[Self::Filter, Self::Everywhere],
            Self::Confirm => &[Self::Confirm, Self::Everywhere],
            Self::Input => &[Self::Input, Self::Everywhere],
            Self::Help => &[Self::Help, Self::Everywhere],
            Self::Browse => &[Self::Browse, Self::Everywhere],
            Self::Everywhere => &[Self::Everywhere],
        }
    }
}

/// A key with its modifiers, written `j`, `G`, `ctrl-d`, `shift-tab`, `enter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Chord(KeyCode, KeyModifiers);

impl Chord {
    fn from_key(key: KeyEvent) -> Self {
        let mut modifiers = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        // Shift is part of the character already, and of BackTab.
        if matches!(key.code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers -= KeyModifiers::SHIFT;
        }
        Self(key.code, modifiers)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut modifiers = KeyModifiers::empty();
        let mut rest = text;
        while let Some((name, tail)) = rest.split_once('-').filter(|(_, tail)| !tail.is_empty()) {
            modifiers |= match name {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                _ => bail!("unknown modifier '{name}' in '{text}'"),
            };
            rest = tail;
        }
        let code = match rest {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "space" => KeyCode::Char(' '),
            "tab" if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            "tab" => KeyCode::Tab,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pageup" => KeyCode::PageUp,
            "pagedown" => KeyCode::PageDown,
            _ => {
                let mut characters = rest.chars();
                match (characters.next(), characters.next()) {
                    (Some(character), None) => KeyCode::Char(character),
                    _ => return Err(anyhow!("unknown key '{text}'")),
                }
            }
        };
        Ok(Self::from_key(KeyEvent::new(code, modifiers)))
    }
}

/// All bindings.
#[derive(Clone, Debug)]
pub struct Keymap {
    actions: HashMap<(Mode, Chord), Action>,
    /// The keys of each action as text, for help and hints.
    keys: BTreeMap<(Mode, Action), Vec<String>>,
}

impl Keymap {
    /// Parses bindings: a table for each mode with `action = ["key", …]`.
    ///
    /// # Errors
    /// Unknown modes, actions and keys, and a key that is bound twice in one mode.
    pub fn parse(text: &str) -> Result<Self> {
        let modes: BTreeMap<Mode, BTreeMap<Action, Vec<String>>> = toml::from_str(text).context("keymap")?;
        let mut keymap = Self { actions: HashMap::new(), keys: BTreeMap::new() };
        for (mode, bindings) in modes {
            for (action, keys) in bindings {
                for key in &keys {
                    if let Some(other) = keymap.actions.insert((mode, Chord::parse(key)?), action) {
                        bail!("keymap: '{key}' is bound to both {action:?} and {other:?} in [{mode:?}]");
                    }
                }
                keymap.keys.insert((mode, action), keys);
            }
        }
        Ok(keymap)
    }

    /// The action of a key in a mode.
    pub fn lookup(&self, mode: Mode, key: KeyEvent) -> Option<Action> {
        let chord = Chord::from_key(key);
        mode.scopes().iter().find_map(|scope| self.actions.get(&(*scope, chord)).copied())
    }

    /// The keys of an action in a mode, as text.
    pub fn keys(&self, mode: Mode, action: Action) -> &[String] {
        mode.scopes().iter().find_map(|scope| self.keys.get(&(*scope, action))).map_or(&[], Vec::as_slice)
    }

    /// The bindings of this mode alone, in the order of [`Action::ALL`].
    pub fn of_mode(&self, mode: Mode) -> impl Iterator<Item = (Action, &[String])> {
        self.keys
            .range((mode, Action::ALL[0])..)
            .take_while(move |((of, _), _)| *of == mode)
            .map(|((_, action), keys)| (*action, keys.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_key_and_a_text() {
        let keymap = Keymap::parse(KEYMAP).unwrap();
        for action in Action::ALL {
            assert!(!action.help().is_empty());
            assert!(keymap.keys.keys().any(|(_, bound)| bound == action), "{action:?} has no key");
        }
    }

    #[test]
    fn every_binding_resolves_to_its_action() {
        let keymap = Keymap::parse(KEYMAP).unwrap();
        for ((mode, action), keys) in &keymap.keys {
            for key in keys {
                let Chord(code, modifiers) = Chord::parse(key).unwrap();
                assert_eq!(keymap.lookup(*mode, KeyEvent::new(code, modifiers)), Some(*action), "{mode:?} {key}");
            }
        }
    }

    #[test]
    fn chords_for_reload_or_save_do_not_flush() {
        let keymap = Keymap::parse(KEYMAP).unwrap();
        for ((_, action), keys) in &keymap.keys {
            let is_habit = |key: &String| ["ctrl-r", "ctrl-s", "ctrl-k", "ctrl-d", "ctrl-w"].contains(&key.as_str());
            assert!(!action.is_change() || !keys.iter().any(is_habit), "{action:?} on {keys:?}");
        }
    }

    #[test]
    fn mistakes_in_a_keymap_are_named() {
        for (text, part) in [
            ("[table]\nfly = [\"f\"]", "fly"),
            ("[table]\nquit = [\"hyper-q\"]", "hyper"),
            ("[table]\nquit = [\"escape\"]", "escape"),
            ("[table]\nquit = [\"q\"]\nhelp = [\"q\"]", "'q'"),
        ] {
            let error = format!("{:#}", Keymap::parse(text).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
