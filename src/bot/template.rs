//! Texts with `{{ variable }}` in them, and nothing else.

use std::fmt;

/// Parts of a variable at most, with the dots between them.
const MAX_PARTS: usize = 8;

/// A text with variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Stands as it is.
    Literal(String),
    /// Stands for a variable's value, or a part of it by dots.
    Variable {
        /// The path: `order.items.0.name`.
        path: String,
        /// Where it stands in the text, in characters counted from 1.
        at: usize,
    },
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Where, in characters counted from 1.
    pub at: usize,
    /// What is wrong, and what to write.
    pub message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Template {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            let at = position(text, rest, open);
            let Some(length) = rest[open + 2..].find("}}") else {
                let message = "{{ is not closed: write {{ variable }}, with }} at its end".into();
                return Err(TemplateError { at, message });
            };
            let path = rest[open + 2..open + 2 + length].trim();
            check_path(path).map_err(|message| TemplateError { at, message })?;
            if open > 0 {
                pieces.push(Piece::Literal(rest[..open].into()));
            }
            pieces.push(Piece::Variable { path: path.into(), at });
            rest = &rest[open + 2 + length + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.into()));
        }
        Ok(Self(pieces))
    }

    /// Puts pieces together.
    pub(super) fn from_pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self(pieces.into_iter().collect())
    }

    /// The pieces in their order.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// The variables in their order, each with its position.
    pub fn variables(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Variable { path, at } => Some((path.as_str(), *at)),
        })
    }

    /// Whether nothing but blanks would be there, whatever the variables hold.
    pub fn is_blank(&self) -> bool {
        self.0.iter().all(|piece| match piece {
            Piece::Literal(text) => text.trim().is_empty(),
            Piece::Variable { .. } => false,
        })
    }
}

fn position(text: &str, rest: &str, offset: usize) -> usize {
    let before = text.len() - rest.len() + offset;
    text[..before].chars().count() + 1
}

/// Whether this is a variable, or a part of one by dots.
pub(super) fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("{{ }} names no variable: write {{ variable }}".into());
    }
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let starts_small = path.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_small || !path.split('.').all(is_word) {
        return Err(format!(
            "{{{{ {path} }}}} is no variable: only names and parts by dots are possible, as {{{{ order.items.0.name }}}}"
        ));
    }
    if path.split('.').count() > MAX_PARTS {
        return Err(format!("{{{{ {path} }}}} has more than {MAX_PARTS} parts: set a variable to a part of it first"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_literals_and_variables() {
        let template = Template::parse("Hé {{ name }}, {{order.items.0.name}}!").unwrap();
        assert_eq!(
            template.pieces(),
            [
                Piece::Literal("Hé ".into()),
                Piece::Variable { path: "name".into(), at: 4 },
                Piece::Literal(", ".into()),
                Piece::Variable { path: "order.items.0.name".into(), at: 16 },
                Piece::Literal("!".into()),
            ]
        );
        assert_eq!(Template::parse("{ } }} {x}").unwrap().pieces(), [Piece::Literal("{ } }} {x}".into())]);
    }

    #[test]
    fn anything_but_a_variable_is_refused_where_it_stands() {
        let cases = [
            ("hi {{ name", 4, "is not closed"),
            ("{{}}", 1, "names no variable"),
            ("{{ a + b }}", 1, "is no variable"),
            ("ä{{ name | upper }}", 2, "is no variable"),
            ("{{ Name }}", 1, "is no variable"),
            ("{{ a..b }}", 1, "is no variable"),
            ("{{ a. }}", 1, "is no variable"),
            ("{{ a[0] }}", 1, "is no variable"),
            ("{{ {{ a }} }}", 1, "is no variable"),
            ("{{ a.b.c.d.e.f.g.h.i }}", 1, "more than 8 parts"),
        ];
        for (text, at, words) in cases {
            let error = Template::parse(text).unwrap_err();
            assert!(error.at == at && error.message.contains(words), "{text}: {error:?}");
        }
    }

    #[test]
    fn a_text_of_blanks_is_blank_and_a_variable_is_not() {
        assert!(Template::parse(" \n").unwrap().is_blank());
        assert!(!Template::parse("{{ a }}").unwrap().is_blank());
    }
}
