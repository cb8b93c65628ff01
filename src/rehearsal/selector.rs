//! Label and field selectors of lists and watches.
//!
//! Source: `k8s.io/apimachinery/pkg/labels` `Parse`; `pkg/fields` `ParseSelector`.

use serde_json::Value;

/// Which objects of a collection are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    /// Compared as whole numbers.
    Above(i64),
    Below(i64),
}

impl Selector {
    /// Returns the selector of a query; the server has checked it, so what makes no sense selects as little as it says.
    pub(super) fn of_query(query: impl Iterator<Item = (String, String)>) -> Self {
        let mut selector = Self::default();
        for (key, value) in query {
            match key.as_str() {
                "labelSelector" => selector.labels.extend(split(&value).into_iter().filter_map(requirement)),
                "fieldSelector" => selector.fields.extend(value.split(',').filter_map(field)),
                _ => {}
            }
        }
        selector
    }

    /// Tells whether an object is meant.
    pub(super) fn selects(&self, object: &Value) -> bool {
        let label = |key: &str| object.get("metadata")?.get("labels")?.get(key)?.as_str();
        self.labels.iter().all(|requirement| requirement.test.holds(label(&requirement.key)))
            && self.fields.iter().all(|(path, equals, wanted)| {
                let value = path.split('.').try_fold(object, |value, part| value.get(part));
                let text = value.map_or_else(String::new, as_text);
                (text == *wanted) == *equals
            })
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Self::NotIn(values) => value.is_none_or(|value| values.iter().all(|one| one != value)),
            Self::Above(limit) => number().is_some_and(|number| number > *limit),
            Self::Below(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

/// Parts at commas that are not within parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

fn requirement(text: &str) -> Option<Requirement> {
    let with = |key: &str, test| Some(Requirement { key: key.trim().to_owned(), test });
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = text.split_once("!=") {
        return with(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return with(key, Test::In(one(value)));
    }
    for (mark, is_in) in [(" notin ", false), (" in ", true)] {
        // `in(a,b)` without a space is written too.
        let spaced = text.replacen(&format!("{}(", mark.trim_end()), &format!("{mark}("), 1);
        if let Some((key, values)) = spaced.split_once(mark) {
            let values = values.trim().trim_start_matches('(').trim_end_matches(')');
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            return with(key, if is_in { Test::In(values) } else { Test::NotIn(values) });
        }
    }
    if let Some((key, value)) = text.split_once('>') {
        return with(key, Test::Above(value.trim().parse().ok()?));
    }
    if let Some((key, value)) = text.split_once('<') {
        return with(key, Test::Below(value.trim().parse().ok()?));
    }
    match text.strip_prefix('!') {
        Some(key) => with(key, Test::Absent),
        None => with(text, Test::Exists),
    }
}

fn field(text: &str) -> Option<(String, bool, String)> {
    let (path, equals, value) = if let Some((path, value)) = text.split_once("!=") {
        (path, false, value)
    } else {
        let (path, value) = text.split_once("==").or_else(|| text.split_once('='))?;
        (path, true, value)
    };
    Some((path.trim().to_owned(), equals, value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selects(labels: &str, fields: &str) -> bool {
        let object =
            json!({"metadata": {"name": "web", "labels": {"app": "shop", "tier": "2", "x/y": ""}}, "type": "t"});
        let query = [("labelSelector", labels), ("fieldSelector", fields)];
        let query = query.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        Selector::of_query(query).selects(&object)
    }

    #[test]
    fn labels_select_as_the_server_does() {
        for (labels, expected) in [
            ("", true),
            ("app", true),
            ("!app", false),
            ("!other", true),
            ("app=shop", true),
            ("app==shop,tier=2", true),
            ("app=shop,tier=3", false),
            ("app!=shop", false),
            ("other!=shop", true),
            ("app in (shop, web)", true),
            ("app in (web)", false),
            ("app notin (web,x)", true),
            ("app notin (shop)", false),
            ("other notin (shop)", true),
            ("tier>1", true),
            ("tier<2", false),
            ("x/y=", true),
            ("app in (shop),tier", true),
        ] {
            assert_eq!(selects(labels, ""), expected, "{labels}");
        }
    }

    #[test]
    fn fields_select_by_path() {
        for (fields, expected) in [
            ("metadata.name=web", true),
            ("metadata.name!=web", false),
            ("metadata.name=web,type=t", true),
            ("type==u", false),
            ("status.phase!=Failed", true),
        ] {
            assert_eq!(selects("", fields), expected, "{fields}");
        }
    }
}
