//! How tests look at rendered text: at three widths, in ASCII, and with colours made readable.

use super::style::Style;
use crate::domain::object::ObjectRef;

/// Renders at 100, 60 and 40 columns, then at 60 with colours, which show as `{red bold}` and `{}`.
pub(super) fn gallery(render: impl Fn(&Style) -> String) -> String {
    let plain = Style { width: 100, colour: false, unicode: true };
    let styles = [
        ("100 columns", plain),
        ("60 columns", Style { width: 60, ..plain }),
        ("40 columns, ASCII", Style { width: 40, unicode: false, ..plain }),
        ("60 columns, colours", Style { width: 60, colour: true, ..plain }),
    ];
    let shown = |(title, style): &(&str, Style)| format!("==== {title} ====\n{}", name_colours(&render(style)));
    styles.iter().map(shown).collect()
}

/// Renders at 120, 80 and 40 columns, then at 80 with colours.
pub(super) fn gallery_of_widths(render: impl Fn(&Style) -> String) -> String {
    let plain = Style { width: 80, colour: false, unicode: true };
    let styles = [
        ("120 columns", Style { width: 120, ..plain }),
        ("80 columns", plain),
        ("40 columns, ASCII", Style { width: 40, unicode: false, ..plain }),
        ("80 columns, colours", Style { colour: true, ..plain }),
    ];
    let shown = |(title, style): &(&str, Style)| format!("==== {title} ====\n{}", name_colours(&render(style)));
    styles.iter().map(shown).collect()
}

pub(super) fn deployment(name: &str) -> ObjectRef {
    object("apps/v1", "Deployment", name)
}

pub(super) fn object(api_version: &str, kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some("shop".to_owned()),
        name: name.to_owned(),
    }
}

/// Source of the numbers: ECMA-48, select graphic rendition.
fn name_colours(text: &str) -> String {
    [("0", ""), ("1", "bold"), ("2", "dim"), ("31", "red"), ("32", "green"), ("33", "yellow")]
        .iter()
        .fold(text.to_owned(), |text, (number, name)| {
            text.replace(&format!("\u{1b}[{number}m"), &format!("{{{name}}}"))
        })
}
