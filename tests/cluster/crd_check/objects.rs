//! Objects to be judged: valid ones with every defect, and random ones.

use serde_json::{Value, json};

/// One change to an object: a value at a JSON pointer, or its removal.
#[derive(Clone)]
pub(super) struct Defect {
    pub(super) at: String,
    put: Option<Value>,
}

impl Defect {
    pub(super) fn apply(&self, object: &mut Value) {
        let (parent, last) = self.at.rsplit_once('/').expect("a pointer");
        let key = last.replace("~1", "/").replace("~0", "~");
        match object.pointer_mut(parent) {
            Some(Value::Object(fields)) => match &self.put {
                Some(value) => drop(fields.insert(key, value.clone())),
                None => drop(fields.shift_remove(&key)),
            },
            Some(Value::Array(items)) => {
                let index: usize = key.parse().expect("an index");
                match &self.put {
                    Some(value) if index < items.len() => items[index] = value.clone(),
                    Some(value) => items.push(value.clone()),
                    None if index < items.len() => drop(items.remove(index)),
                    None => {}
                }
            }
            _ => {}
        }
    }

    pub(super) fn as_json(&self) -> Value {
        json!({"at": self.at, "put": self.put, "drop": self.put.is_none()})
    }
}

#[allow(clippy::too_many_lines)] // A table.
/// Every defect that is tried on an object: each value of it is removed, and replaced by others of every type.
pub(super) fn defects(object: &Value) -> Vec<Defect> {
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(7),
        json!(101),
        json!(2.5),
        json!(3.0),
        json!(0.3),
        json!(1e30),
        json!(4_294_967_296_i64),
        json!(""),
        json!("a"),
        json!("abc"),
        json!("abcdefghijklmnopqrstuvwxyz0123456789"),
        json!("日本"),
        json!("kube-x"),
        json!("10"),
        json!("Ab/c d"),
        json!("2023-02-30T25:00:00Z"),
        json!([]),
        json!(["a"]),
        json!(["a", "a"]),
        json!([1, 1]),
        json!([null]),
        json!({}),
        json!({"a": "b"}),
        json!({"unknown": {"deep": [1]}}),
    ];
    let mut defects = Vec::new();
    let mut places =
        vec![("/spec".to_owned(), object["spec"].clone()), ("/status".to_owned(), object["status"].clone())];
    while let Some((at, value)) = places.pop() {
        let mut put = |at: &str, value: Value| defects.push(Defect { at: at.to_owned(), put: Some(value) });
        for other in &others {
            put(&at, other.clone());
        }
        match &value {
            Value::Object(fields) => {
                put(&format!("{at}/unknown"), json!({"a": [1]}));
                for (name, value) in fields {
                    let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    defects.push(Defect { at: at.clone(), put: None });
                    places.push((at, value.clone()));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    put(&format!("{at}/{}", items.len()), item.clone());
                    places.push((format!("{at}/{index}"), item.clone()));
                }
                defects.push(Defect { at: format!("{at}/0"), put: None });
            }
            Value::String(text) => {
                for other in
                    [format!("{text}!"), format!("{text}\n"), format!("1{text}"), text.to_uppercase(), text.repeat(9)]
                {
                    put(&at, other.into());
                }
                put(&at, text.chars().skip(1).collect::<String>().into());
            }
            Value::Number(number) => {
                if let Some(number) = number.as_i64() {
                    for other in [number - 1, number + 1, number * 10, -number] {
                        put(&at, other.into());
                    }
                }
                let number = number.as_f64().expect("a number");
                for other in [number + 0.5, number / 3.0, -number] {
                    put(&at, other.into());
                }
            }
            _ => {}
        }
    }
    let metadata = [
        ("name", json!("Not A Name")),
        ("name", json!("a".repeat(254))),
        ("name", json!("")),
        ("name", json!(1)),
        ("labels", json!({"a b": "c"})),
        ("labels", json!({"a": "b c", "x/y/z": "", "/z": "", "Q.x/y": "é"})),
        ("labels", json!({"a": 1})),
        ("labels", json!(["a"])),
        ("labels", json!({"a": null})),
        ("annotations", json!({"-a": "b c"})),
        ("annotations", json!({"A/B": "b c"})),
        ("annotations", json!({"a": {}})),
        ("unknown", json!(1)),
        ("finalizers", json!(["a b"])),
        ("finalizers", json!("a")),
        ("ownerReferences", json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}])),
        ("generation", json!("1")),
        ("ownerReferences", json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1", "unknown": 1}])),
        ("creationTimestamp", json!("yesterday")),
        ("generateName", json!("A-")),
        ("generateName", json!("a-")),
    ];
    defects.extend(metadata.map(|(name, value)| Defect { at: format!("/metadata/{name}"), put: Some(value) }));
    defects
}

/// Numbers that look random and are the same at every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides.max(1) as u64).expect("small")
    }
}

/// Makes a value that a schema may or may not allow: mostly right in type, and often in the rest.
pub(super) fn random_value(schema: &Value, dice: &mut Dice, depth: usize) -> Value {
    if dice.below(60) == 0 {
        return [json!(null), json!("x"), json!(-1), json!({}), json!([])][dice.below(5)].clone();
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|_| dice.below(20) > 0) {
        return allowed[dice.below(allowed.len())].clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return [json!(80), json!("50%"), json!("1Gi")][dice.below(3)].clone();
    }
    match schema["type"].as_str() {
        Some("boolean") => (dice.below(2) == 0).into(),
        Some("integer" | "number") => {
            let least = schema["minimum"].as_i64().unwrap_or(0);
            (least + i64::try_from(dice.below(5)).expect("small") - i64::from(dice.below(8) == 0)).into()
        }
        Some("string") => {
            let texts = [
                "a",
                "example.com",
                "gateway.networking.k8s.io",
                "Abc",
                "/a/b",
                "10s",
                "10.0.0.1",
                "http",
                "a.b.c:80",
                "",
                "2024-01-01T00:00:00Z",
            ];
            texts[dice.below(texts.len())].into()
        }
        Some("array") => {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).expect("small");
            let count = if depth == 0 { least } else { least + dice.below(3) };
            (0..count).map(|_| random_value(&schema["items"], dice, depth.saturating_sub(1))).collect()
        }
        Some("object") => {
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut fields = serde_json::Map::new();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                let is_wanted = if required.contains(&name.as_str()) {
                    dice.below(40) > 0
                } else {
                    depth > 0 && dice.below(3) == 0
                };
                if is_wanted {
                    fields.insert(name.clone(), random_value(schema, dice, depth.saturating_sub(1)));
                }
            }
            if schema["additionalProperties"].is_object() && dice.below(2) == 0 {
                fields.insert(
                    "example.com/key".to_owned(),
                    random_value(&schema["additionalProperties"], dice, depth.saturating_sub(1)),
                );
            }
            fields.into()
        }
        _ => json!({"any": 1}),
    }
}
