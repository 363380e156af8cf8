//! `rpc.discover`: what the document says is what the daemon takes.

use serde_json::{Map, Value, json};

use crate::harness::{Client, FRIENDS, Home, TestDaemon};

/// A value that the schema takes.
fn example(schema: &Value) -> Value {
    match schema["type"].as_str().unwrap_or("any") {
        "integer" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => json!(true),
        "array" if schema["items"]["type"] == "object" => json!([{}]),
        "array" => json!(["x"]),
        _ if schema["format"] == "date-time" => json!("2026-01-02T03:04:05Z"),
        _ => schema.pointer("/enum/0").cloned().unwrap_or(json!("x")),
    }
}

/// Values of the right kind that are out of bounds.
fn out_of_bounds(schema: &Value) -> Vec<Value> {
    let bound = |key: &str, beyond: i64| schema.get(key).and_then(Value::as_i64).map(|bound| json!(bound + beyond));
    let choice = schema.get("enum").map(|_| json!("neither"));
    [bound("minimum", -1), bound("maximum", 1), choice].into_iter().flatten().collect()
}

/// Values of every kind but the right one.
fn wrong_kinds(schema: &Value) -> Vec<Value> {
    let Some(right) = schema["type"].as_str() else { return vec![Value::Null] };
    let all = [("integer", json!(1)), ("boolean", json!(true)), ("string", json!("1")), ("array", json!([1]))];
    let others = all.into_iter().filter(|(kind, _)| *kind != right).map(|(_, value)| value);
    others.chain([json!({}), json!(1.5)]).chain((right == "array").then(|| json!([1]))).collect()
}

struct Published {
    name: String,
    params: Vec<Value>,
}

fn methods(document: &Value) -> Vec<Published> {
    let methods = document["methods"].as_array().unwrap().iter().map(|method| Published {
        name: method["name"].as_str().unwrap().to_owned(),
        params: method["params"].as_array().unwrap().clone(),
    });
    methods.collect()
}

fn name_of(param: &Value) -> &str {
    param["name"].as_str().unwrap()
}

impl Published {
    /// What must be there for `param` to be read at all.
    fn beside(&self, param: &Value) -> Map<String, Value> {
        let required = self.params.iter().filter(|other| other["required"] == true && *other != param);
        let mut beside: Map<String, Value> =
            required.map(|other| (name_of(other).to_owned(), example(&other["schema"]))).collect();
        if self.name == "send" && param["name"] != "to" {
            beside.insert("to".to_owned(), json!("+15551234567"));
        }
        beside
    }

    fn with(&self, param: &Value, spelling: &str, value: Value) -> Value {
        let mut params = self.beside(param);
        params.insert(spelling.to_owned(), value);
        Value::Object(params)
    }
}

fn spellings(param: &Value) -> Vec<&str> {
    let aliases = param["x-aliases"].as_array().into_iter().flatten().map(|alias| alias.as_str().unwrap());
    std::iter::once(name_of(param)).chain(aliases).collect()
}

/// It may be refused for what it says, as a code that nobody has; not for what it is.
fn takes(client: &mut Client, method: &str, params: Value) {
    if let Err(refusal) = client.call(method, params.clone()) {
        let said = refusal.data.to_string();
        for word in ["unknown ", " must be ", "Invalid ISO8601", "the table of"] {
            assert!(!said.contains(word), "{method} {params}: {said}");
        }
    }
}

#[test]
fn every_published_parameter_is_taken_and_only_as_published() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.connect();
    let document = client.ok("rpc.discover", json!({}));
    let methods = methods(&document);
    for method in &methods {
        let name = method.name.as_str();
        takes(&mut client, name, Value::Object(method.beside(&Value::Null)));
        for param in &method.params {
            let schema = &param["schema"];
            for spelling in spellings(param) {
                let taken = method.with(param, spelling, example(schema));
                takes(&mut client, name, taken);
                for wrong in wrong_kinds(schema).into_iter().chain(out_of_bounds(schema)) {
                    let wrong = method.with(param, spelling, wrong);
                    assert_eq!(client.refused(name, wrong.clone()).code, -32602, "{name} {wrong}");
                }
            }
            if param["required"] == true {
                let without = Value::Object(method.beside(param));
                assert_eq!(client.refused(name, without.clone()).code, -32602, "{name} {without}");
            }
        }
        let unknown = client.refused(name, json!({"nobody_knows": 1}));
        assert_eq!(unknown.data, format!("unknown {name} param: nobody_knows"));
    }
    assert!(methods.len() > 20, "{} methods", methods.len());
}

#[test]
fn the_command_line_prints_the_same_document_without_a_daemon_and_a_database() {
    let daemon = TestDaemon::new("");
    let served = daemon.connect().ok("rpc.discover", json!({}));
    let bare = Home::without_database("");
    let printed = bare.run(&["rpc", "--discover"]);
    assert!(printed.status.success(), "{}", printed.stderr);
    assert_eq!(serde_json::from_str::<Value>(&printed.stdout).unwrap(), served);
}

#[test]
fn what_can_be_called_is_published() {
    let daemon = TestDaemon::new("");
    let mut client = daemon.connect();
    let callable = client.ok("status", json!({}))["methods"].clone();
    let published: Vec<Value> =
        methods(&client.ok("rpc.discover", json!({}))).into_iter().map(|method| method.name.into()).collect();
    assert_eq!(callable, Value::Array(published));
}
