//! Where our CEL evaluator is known to answer otherwise than the server's: its answer is then not asked for.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use serde_json::Value;

use super::schema::Schema;

/// Functions whose result is no list and no map.
const SCALAR_FUNCTIONS: [&str; 22] = [
    "size",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "duration",
    "timestamp",
    "_-_",
    "_*_",
    "_/_",
    "_%_",
    "!_",
    "-_",
    "_==_",
    "_!=_",
    "lowerAscii",
    "upperAscii",
    "trim",
    "replace",
    "substring",
    "join",
];

/// Returns why the answer to a rule over `value` would not be trusted; nothing if it is.
pub(super) fn doubt(rule: &IdedExpr, text: &str, schema: &Schema, value: &Value) -> Option<&'static str> {
    if has(value, &Value::is_null) {
        return Some("how it sees a null is not known here");
    }
    let is_foreign = |value: &Value| value.as_str().is_some_and(|text| !text.is_ascii());
    if ["matches", "find", "size", "charAt", "substring", "indexOf"].iter().any(|name| text.contains(name))
        && has(value, &is_foreign)
    {
        return Some("letters beyond ASCII may count otherwise here");
    }
    let has_unordered = schema.nodes().iter().any(|node| matches!(node.list_type.as_deref(), Some("set" | "map")));
    if has_unordered && compares_lists(&rule.expr, schema) {
        return Some("lists of type set and map are compared otherwise here");
    }
    mixes_numbers(&rule.expr, schema).then_some("integers and floating numbers are compared otherwise here")
}

fn has(value: &Value, what: &dyn Fn(&Value) -> bool) -> bool {
    what(value)
        || match value {
            Value::Array(items) => items.iter().any(|item| has(item, what)),
            Value::Object(fields) => fields.values().any(|field| has(field, what)),
            _ => false,
        }
}

/// Tells whether some call is one that `what` looks for.
fn any_call(expr: &Expr, what: &dyn Fn(&str, &[IdedExpr]) -> bool) -> bool {
    let below = |expr: &IdedExpr| any_call(&expr.expr, what);
    match expr {
        Expr::Call(call) => {
            what(&call.func_name, &call.args)
                || call.args.iter().any(below)
                || call.target.as_deref().is_some_and(below)
        }
        Expr::Comprehension(comprehension) => [
            &comprehension.iter_range,
            &comprehension.accu_init,
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ]
        .into_iter()
        .any(|part| any_call(&part.expr, what)),
        Expr::List(list) => list.elements.iter().any(below),
        Expr::Select(select) => below(&select.operand),
        Expr::Map(map) => map.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => below(&entry.key) || below(&entry.value),
            EntryExpr::StructField(_) => true,
        }),
        // A message literal is rare; what is in it is not looked at, so it is doubted.
        Expr::Struct(_) => true,
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => false,
    }
}

fn compares_lists(expr: &Expr, schema: &Schema) -> bool {
    // What a macro collects into is a plain list.
    let is_collected = |operand: &IdedExpr| matches!(&operand.expr, Expr::Ident(name) if name.starts_with('@'));
    any_call(expr, &|name, operands| {
        let compares = matches!(name, "_==_" | "_!=_" | "_+_" | "@in" | "_in_") && !operands.iter().any(is_collected);
        compares && operands.len() == 2 && operands.iter().all(|operand| !is_scalar(&operand.expr, schema))
    })
}

fn is_scalar(expr: &Expr, schema: &Schema) -> bool {
    match expr {
        Expr::Literal(_) => true,
        // The operands of a sum and of a choice have one type, as the server has checked.
        Expr::Call(call) if call.func_name == "_+_" => call.args.iter().any(|operand| is_scalar(&operand.expr, schema)),
        Expr::Call(call) if call.func_name == "_?_:_" => {
            call.args.iter().skip(1).any(|operand| is_scalar(&operand.expr, schema))
        }
        Expr::Call(call) => SCALAR_FUNCTIONS.contains(&call.func_name.as_str()),
        Expr::Select(select) => {
            select.test || {
                let mut named =
                    schema.nodes().into_iter().filter_map(|node| node.properties.get(&select.field)).peekable();
                let is_scalar = |node: &Schema| {
                    !matches!(node.declared_type.as_deref(), None | Some("object" | "array")) || node.int_or_string
                };
                named.peek().is_some() && named.all(is_scalar)
            }
        }
        _ => false,
    }
}

fn mixes_numbers(expr: &Expr, schema: &Schema) -> bool {
    let has_numbers = schema.nodes().iter().any(|node| node.declared_type.as_deref() == Some("number"));
    let is = |expr: &Expr, wanted: fn(&LiteralValue) -> bool| matches!(expr, Expr::Literal(literal) if wanted(literal));
    let is_integer = |expr: &Expr| is(expr, |literal| matches!(literal, LiteralValue::Int(_) | LiteralValue::UInt(_)));
    let is_double = |expr: &Expr| is(expr, |literal| matches!(literal, LiteralValue::Double(_)));
    any_call(expr, &|name, operands| {
        let compares = matches!(name, "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_");
        let [left, right] = operands else { return false };
        let (left, right) = (&left.expr, &right.expr);
        let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(_));
        compares
            && (has_numbers
                && (is_integer(left) || is_integer(right))
                && !(is_known(left, schema, "integer") || is_known(right, schema, "integer"))
                || has_numbers && !is_literal(left) && !is_literal(right) && !(same_type(left, right, schema))
                || (is_double(left) || is_double(right))
                    && !(is_known(left, schema, "number") || is_known(right, schema, "number")))
    })
}

/// Tells whether an expression is a field that has this type wherever a field of its name is, or the size of something.
fn is_known(expr: &Expr, schema: &Schema, wanted: &str) -> bool {
    match expr {
        Expr::Call(call) => wanted == "integer" && matches!(call.func_name.as_str(), "size" | "int" | "_%_"),
        Expr::Select(select) => {
            let mut named = schema.nodes().into_iter().filter_map(|node| node.properties.get(&select.field)).peekable();
            named.peek().is_some() && named.all(|node| node.declared_type.as_deref() == Some(wanted))
        }
        Expr::Ident(name) => name == "self" && schema.declared_type.as_deref() == Some(wanted),
        _ => false,
    }
}

fn same_type(left: &Expr, right: &Expr, schema: &Schema) -> bool {
    ["integer", "number", "string", "boolean"]
        .iter()
        .any(|wanted| is_known(left, schema, wanted) && is_known(right, schema, wanted))
        || ["string", "boolean"].iter().any(|wanted| is_known(left, schema, wanted) || is_known(right, schema, wanted))
        || matches!((left, right), (Expr::Call(_), _) | (_, Expr::Call(_)))
}
