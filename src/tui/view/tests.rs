//! Frames: what a state looks like, on screens of three sizes.

use cache_core::counters::Counted;
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use ratatui::style::Modifier;
use rstest::rstest;

use super::draw;
use super::theme::Theme;
use crate::tui::app::App;
use crate::tui::app::rates::Tally;
use crate::tui::fixture::{NOW, blank, count, entries, listed, press, tally};
use crate::tui::message::Message;
use crate::tui::update::update;
use crate::tui::{Options, THEME};

fn frame(app: &App, has_color: bool) -> Terminal<TestBackend> {
    let theme = Theme::parse(THEME, has_color).unwrap();
    let mut terminal = Terminal::new(TestBackend::new(app.size.width, app.size.height)).unwrap();
    terminal.draw(|frame| draw(frame, app, &theme)).unwrap();
    terminal
}

fn at(width: u16, height: u16) -> App {
    listed(Size::new(width, height), Options::default(), entries())
}

#[test]
fn large() {
    let mut app = at(120, 40);
    press(&mut app, "jjj<space>");
    assert_snapshot!(frame(&app, true).backend());
}

#[test]
fn medium() {
    assert_snapshot!(frame(&at(80, 24), true).backend());
}

#[test]
fn tiny() {
    assert_snapshot!(frame(&at(40, 10), true).backend());
}

#[rstest]
#[case("wide", 140, 30)]
#[case("medium", 80, 24)]
fn hit_rates(#[case] name: &str, #[case] width: u16, #[case] height: u16) {
    let mut app = at(width, height);
    count(&mut app, tally());
    press(&mut app, "<enter>");
    assert_snapshot!(format!("hit_rates_{name}"), frame(&app, true).backend());
}

#[test]
fn a_server_that_counts_for_all_says_so() {
    let mut app = at(120, 40);
    count(&mut app, Tally { counted: Counted::default(), server: Some((2, 1)) });
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("Hit rate (server)") && screen.contains("66.6 % server-wide"), "{screen}");
}

#[test]
fn before_the_cache_is_open() {
    let options = Options { is_demo: true, is_read_only: true, ..Options::default() };
    assert_snapshot!(frame(&blank(Size::new(80, 24), options), true).backend());
}

#[test]
fn the_question_before_everything_is_flushed() {
    let mut app = at(80, 24);
    press(&mut app, "D12");
    assert_snapshot!(frame(&app, true).backend());
}

#[test]
fn the_question_on_a_tiny_screen_keeps_its_answer() {
    let mut app = at(40, 10);
    press(&mut app, "jd");
    let screen = frame(&app, true).backend().to_string();
    assert!(screen.contains("Flush this entry?") && screen.contains("y flush"), "{screen}");
}

#[test]
fn the_help() {
    let options = Options { is_read_only: true, ..Options::default() };
    let mut app = listed(Size::new(80, 60), options, entries());
    press(&mut app, "?");
    assert_snapshot!(frame(&app, true).backend());
}

#[test]
fn secrets_and_escape_sequences_are_on_no_screen() {
    let mut app = at(200, 50);
    for keys in ["", "j", "jjjjj", "2", "5"] {
        press(&mut app, keys);
        let screen = frame(&app, true).backend().to_string();
        assert!(!screen.contains("token=secret") && !screen.contains('\u{1b}'), "{screen}");
    }
}

#[test]
fn ttls_count_down() {
    let mut app = at(120, 40);
    press(&mut app, "/kitsu<enter>");
    assert!(frame(&app, true).backend().to_string().contains("42s"));
    update(&mut app, Message::Tick(NOW + 2.0));
    assert!(frame(&app, true).backend().to_string().contains("40s"));
}

#[rstest]
#[case(true)]
#[case(false)]
fn the_selected_row_stands_out(#[case] has_color: bool) {
    let app = at(120, 40);
    let rows = app.regions().table_rows();
    let terminal = frame(&app, has_color);
    let cell = |row: u16| terminal.backend().buffer()[(rows.x + 3, rows.y + row)].clone();
    if has_color {
        assert_ne!(cell(0).bg, cell(1).bg);
    } else {
        assert!(cell(0).modifier.contains(Modifier::REVERSED));
    }
    assert_eq!(cell(1).bg, ratatui::style::Color::Reset);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    for (width, height) in [(0, 0), (1, 1), (5, 3), (20, 5), (40, 10), (59, 13), (76, 14), (170, 30), (300, 80)] {
        for keys in ["", "/jikan", "?", "d", "D", "t", "<tab><tab>]", "z", "<tab>", "Vjj", "w", "wm"] {
            let mut app = at(width, height);
            count(&mut app, tally());
            press(&mut app, keys);
            frame(&app, true);
        }
    }
}
