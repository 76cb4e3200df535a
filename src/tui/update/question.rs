//! Opens questions.

use crate::tui::app::App;
use crate::tui::app::dialog::Dialog;
use crate::tui::view::dialog::fits;

/// Opens a question, unless its facts do not fit on the screen.
pub(crate) fn ask(app: &mut App, dialog: Dialog) {
    if fits(app.size, &dialog) {
        app.dialog = Some(dialog);
    } else {
        app.show_error("The window is too small for this question");
    }
}
