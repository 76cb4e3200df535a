//! The statements of a `.env` file, whose lines end with `\n`.

/// A name and its value, if it has one; or the text of an invalid statement.
pub(super) type Statement<'a> = Result<(String, Option<String>), &'a str>;

/// The statements of a text, without empty lines and comments.
pub(super) fn statements(text: &str) -> impl Iterator<Item = Statement<'_>> {
    let mut reader = Reader { rest: text };
    std::iter::from_fn(move || reader.next())
}

/// What is left of a text.
struct Reader<'a> {
    rest: &'a str,
}

/// Python's white space, which has four control characters more than Rust's.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn is_line_end(c: char) -> bool {
    c == '\n'
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Statement<'a>> {
        loop {
            self.take_while(is_space);
            if self.rest.is_empty() {
                return None;
            }
            let begin = self.rest;
            match self.statement() {
                Some((Some(name), value)) => return Some(Ok((name, value))),
                Some((None, _)) => {}
                None => {
                    self.take_while(|c| !is_line_end(c));
                    let length = begin.len() - self.rest.len();
                    self.line_end();
                    return Some(Err(&begin[..length]));
                }
            }
        }
    }

    /// One statement: `NAME=value`, `export NAME=value`, `NAME` or a comment. `None`: it is invalid.
    fn statement(&mut self) -> Option<(Option<String>, Option<String>)> {
        if let Some(rest) = self.rest.strip_prefix("export")
            && rest.starts_with(|c| is_space(c) && !is_line_end(c))
        {
            self.rest = rest;
            self.take_blanks();
        }
        let name = match self.rest.chars().next() {
            Some('#') => None,
            Some('\'') => Some(self.quoted_name()?),
            _ => Some(self.plain_name()?),
        };
        self.take_blanks();
        let value = match self.rest.strip_prefix('=') {
            Some(rest) => {
                self.rest = rest;
                self.take_blanks();
                Some(self.value()?)
            }
            None => None,
        };
        let before_comment = self.rest;
        self.take_blanks();
        if self.rest.starts_with('#') {
            self.take_while(|c| !is_line_end(c));
        } else {
            self.rest = before_comment;
            self.take_blanks();
        }
        if !self.rest.is_empty() && !self.line_end() {
            self.rest = before_comment;
            return None;
        }
        Some((name.map(str::to_owned), value))
    }

    fn plain_name(&mut self) -> Option<&'a str> {
        let name = self.take_while(|c| !is_space(c) && !matches!(c, '=' | '#'));
        (!name.is_empty()).then_some(name)
    }

    fn quoted_name(&mut self) -> Option<&'a str> {
        let (name, rest) = self.rest.strip_prefix('\'')?.split_once('\'')?;
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn value(&mut self) -> Option<String> {
        match self.rest.chars().next() {
            None | Some('\n') => Some(String::new()),
            Some(quote @ ('\'' | '"')) => self.quoted_value(quote),
            Some(_) => {
                let line = self.take_while(|c| !is_line_end(c));
                Some(without_comment(line).trim_end_matches(is_space).to_owned())
            }
        }
    }

    /// A value in quotes, which may have several lines. A quote after a backslash does not end it, unless no other one
    /// follows.
    fn quoted_value(&mut self, quote: char) -> Option<String> {
        let text = &self.rest[1..];
        let mut last_escaped = None;
        let mut chars = text.char_indices().peekable();
        let mut end = None;
        while let Some((at, c)) = chars.next() {
            if c == quote {
                end = Some(at);
                break;
            }
            if c == '\\'
                && let Some((next, _)) = chars.next_if(|(_, next)| *next == quote)
            {
                last_escaped = Some(next);
            }
        }
        let end = end.or(last_escaped)?;
        self.rest = &text[end + 1..];
        Some(unescaped(&text[..end], quote))
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn take_blanks(&mut self) {
        self.take_while(|c| is_space(c) && !is_line_end(c));
    }

    fn line_end(&mut self) -> bool {
        let rest = self.rest.strip_prefix(is_line_end);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

/// The part of a line before the first `#` that follows white space.
fn without_comment(line: &str) -> &str {
    let mut blanks = None;
    for (at, c) in line.char_indices() {
        match (c, blanks) {
            ('#', Some(begin)) => return &line[..begin],
            (c, None) if is_space(c) => blanks = Some(at),
            (c, Some(_)) if is_space(c) => {}
            _ => blanks = None,
        }
    }
    line
}

/// A quoted value with its escapes undone; single quotes know two of them.
fn unescaped(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escape = |next: char| match next {
            '\\' | '\'' => Some(next),
            _ if quote == '\'' => None,
            '"' => Some('"'),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            _ => None,
        };
        match chars.peek().copied().and_then(escape).filter(|_| c == '\\') {
            Some(meant) => {
                chars.next();
                out.push(meant);
            }
            None => out.push(c),
        }
    }
    out
}
