//! `rpc.discover`: the OpenRPC document of the protocol, made of the tables that parameters are checked by and of the
//! types that answers are written from.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::param::{Default, Kind, Param};
use super::wire::error::{DatabaseUnavailable, DeliveryFailure};
use super::wire::journal::{JournalNotification, Missed};
use super::wire::plugins::{LinesMissed, LogNotification};
use super::wire::replay::ReplayProgress;
use super::wire::watch::{MessageNotification, Overflow, StreamError, StreamReset, UpdateNotification};
use super::{METHODS, Method};

/// The newest version of OpenRPC that its own meta-schema knows.
const OPENRPC: &str = "1.3.2";

/// OpenRPC knows no notifications from the server, so they are an extension of the document.
const NOTIFICATIONS: &str = "x-notifications";

/// Nor does it know schemas of what errors carry: by code, where that is an object.
const ERROR_DATA: &str = "x-error-data";

/// Where a method says what a connection needs to call it.
const SCOPE: &str = "x-scope";

/// What the server says without being asked.
struct Notification {
    name: &'static str,
    about: &'static str,
    params: fn(&mut SchemaGenerator) -> Schema,
}

impl Notification {
    const fn new<T: JsonSchema>(name: &'static str, about: &'static str) -> Notification {
        Notification { name, about, params: SchemaGenerator::subschema_for::<T> }
    }
}

const SENT: &[Notification] = &[
    Notification::new::<MessageNotification<'_>>("message", "A message came, or is replayed."),
    Notification::new::<UpdateNotification<'_>>(
        "message.updated",
        "A message that was delivered before was edited or taken back. Only where `include_edits` asks for it.",
    ),
    Notification::new::<Overflow>(
        "watch.overflow",
        "The client read too slowly. What was waiting has been sent; this is the last of the subscription.",
    ),
    Notification::new::<StreamReset<'_>>(
        "watch.reset",
        "The database was replaced, restored or renumbered: row numbers that were told before mean nothing any more. The \
         subscription goes on.",
    ),
    Notification::new::<JournalNotification<'_>>("journal", "A verdict on a message, once it is kept."),
    Notification::new::<Missed>(
        "journal.missed",
        "The client read too slowly and missed verdicts. The subscription goes on; `journal.list` has them.",
    ),
    Notification::new::<ReplayProgress<'_>>(
        "policy.replay.progress",
        "How far `policy.replay` has come, before its answer.",
    ),
    Notification::new::<LogNotification<'_>>("plugin.log", "A line of a policy's log. Messages may be quoted in it."),
    Notification::new::<LinesMissed>(
        "plugin.log.missed",
        "The client read too slowly and missed lines. The subscription goes on; `plugins.log` has those that are kept.",
    ),
    Notification::new::<StreamError>("error", "The stream broke off. This is the last of the subscription."),
];

/// An error that a method may be answered with: its name in the document, code, and message.
type Failure = (&'static str, i64, &'static str);

const PARSE: Failure = ("ParseError", -32700, "Parse error");
const REQUEST: Failure = ("InvalidRequest", -32600, "Invalid Request");
const METHOD: Failure = ("MethodNotFound", -32601, "Method not found");
const PARAMS: Failure = ("InvalidParams", -32602, "Invalid params");
const INTERNAL: Failure = ("InternalError", -32603, "Internal error");
const NOT_SENT: Failure = ("DeliveryFailedBeforeDispatch", -32603, "Delivery failed before dispatch");
const BUSY: Failure = ("ServerBusy", -32000, "Server busy");
const UNKNOWN: Failure = ("DeliveryOutcomeUnknown", -32001, "Delivery outcome unknown");
const DATABASE: Failure = ("DatabaseUnavailable", -32002, "Database unavailable");

const READ_ONLY: Failure = ("ConfigurationReadOnly", -32005, "Configuration is read-only");

const NOT_PERMITTED: Failure = ("NotPermitted", -32006, super::scope::NOT_PERMITTED_TEXT);

const FAILURES: &[Failure] =
    &[PARSE, REQUEST, METHOD, PARAMS, INTERNAL, NOT_SENT, BUSY, UNKNOWN, DATABASE, READ_ONLY, NOT_PERMITTED];

impl Method {
    fn failures(&self) -> Vec<Failure> {
        let mut failures = vec![PARAMS, INTERNAL, BUSY];
        let is_automation = ["send", "react"].contains(&self.name);
        if is_automation {
            failures.extend([NOT_SENT, UNKNOWN]);
        }
        if self.needs_database || is_automation {
            failures.push(DATABASE);
        }
        if ["config.set", "config.unset", "config.add", "config.remove"].contains(&self.name) {
            failures.push(READ_ONLY);
        }
        if self.scope.is_some() {
            failures.push(NOT_PERMITTED);
        }
        failures
    }
}

/// The document. Methods that need the private bridge of `imsg` are not in it: they can only be refused.
pub fn document() -> Value {
    let settings = SchemaSettings::draft07().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.with_transform(RecursiveTransform(as_written)).into_generator();
    let methods: Vec<Value> = METHODS.iter().map(|method| described(method, &mut generator)).collect();
    let notifications: Vec<Value> = SENT
        .iter()
        .map(|sent| json!({"name": sent.name, "description": sent.about, "params": (sent.params)(&mut generator)}))
        .collect();
    let delivery = generator.subschema_for::<DeliveryFailure<'_>>();
    let database = generator.subschema_for::<DatabaseUnavailable>();
    let errors: Map<String, Value> = FAILURES
        .iter()
        .map(|(name, code, message)| ((*name).to_owned(), json!({"code": code, "message": message})))
        .collect();
    json!({
        "openrpc": OPENRPC,
        "info": {
            "title": "imsgd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "JSON-RPC 2.0, one JSON object a line, over a Unix socket or stdio. What the server says \
                            without being asked is in x-notifications; what errors carry as data, where that is an \
                            object and not a text, is in x-error-data by code. The scope that a connection needs \
                            for a method is its x-scope.",
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "methods": methods,
        NOTIFICATIONS: notifications,
        ERROR_DATA: {"-32603": delivery.clone(), "-32001": delivery, "-32002": database},
        "components": {"schemas": generator.take_definitions(true), "errors": errors},
    })
}

fn described(method: &Method, generator: &mut SchemaGenerator) -> Value {
    let result = (method.result)(generator);
    let taken = method.params.iter().filter(|param| !matches!(param.kind, Kind::Refused(_)));
    let errors: Vec<Value> = method
        .failures()
        .into_iter()
        .map(|(name, ..)| json!({"$ref": format!("#/components/errors/{name}")}))
        .collect();
    let mut described = json!({
        "name": method.name,
        "description": method.about,
        "paramStructure": "by-name",
        "params": taken.map(descriptor).collect::<Vec<_>>(),
        "result": {"name": "result", "schema": result},
        "errors": errors,
    });
    if let Some(scope) = method.scope {
        described[SCOPE] = scope.as_str().into();
    }
    described
}

fn descriptor(param: &Param) -> Value {
    let mut descriptor = json!({
        "name": param.name,
        "description": param.about,
        "required": param.is_required,
        "schema": param.schema(),
    });
    if !param.aliases.is_empty() {
        descriptor["x-aliases"] = param.aliases.into();
    }
    descriptor
}

impl Param {
    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Integer(least, most) => {
                let mut schema = json!({"type": "integer"});
                for (key, bound) in [("minimum", least), ("maximum", most)] {
                    if let Some(bound) = bound {
                        schema[key] = bound.into();
                    }
                }
                schema
            }
            Kind::Text | Kind::Refused(_) => json!({"type": "string"}),
            Kind::Choice(of) => json!({"type": "string", "enum": of}),
            Kind::Date => json!({"type": "string", "format": "date-time"}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Any => json!({}),
            Kind::Objects => json!({"type": "array", "items": {"type": "object"}}),
        };
        match self.default {
            None => {}
            Some(Default::Integer(default)) => schema["default"] = default.into(),
            Some(Default::Text(default)) => schema["default"] = default.into(),
            Some(Default::Flag(default)) => schema["default"] = default.into(),
        }
        schema
    }
}

/// A field that may be left out is never null: it is left out then. And JSON has one kind of numbers.
fn as_written(schema: &mut Schema) {
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| format.contains("int")) {
        schema.remove("format");
    }
    let required: Vec<Value> = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (_, field) in fields.iter_mut().filter(|(name, _)| !required.contains(&Value::from(name.as_str()))) {
        let Some(field) = field.as_object_mut() else { continue };
        if let Some(Value::Array(types)) = field.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_mut_slice() {
                let only = only.take();
                field.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(mut any)) = field.remove("anyOf") {
            any.retain(|one| one != &json!({"type": "null"}));
            field.insert(if any.len() == 1 { "allOf" } else { "anyOf" }.to_owned(), Value::Array(any));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rpc::{BRIDGE_METHODS, BRIDGE_READS};

    fn refs(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| refs(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| refs(value, found)),
            _ => {}
        }
    }

    fn texts<'a>(array: &'a Value, key: &str) -> Vec<&'a str> {
        array.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect()
    }

    #[test]
    fn every_method_is_published_with_what_it_takes_and_gives() {
        let document = document();
        assert_eq!(texts(&document["methods"], "name"), METHODS.iter().map(|method| method.name).collect::<Vec<_>>());
        for (method, published) in METHODS.iter().zip(document["methods"].as_array().unwrap()) {
            let name = method.name;
            assert!(method.about.ends_with('.'), "{name} says nothing of itself");
            let result = &published["result"]["schema"];
            assert!(result.get("$ref").is_some() || name == "rpc.discover", "{name} gives {result}");
            let taken = method.params.iter().filter(|param| !matches!(param.kind, Kind::Refused(_)));
            assert_eq!(texts(&published["params"], "name"), taken.map(|param| param.name).collect::<Vec<_>>());
            for param in published["params"].as_array().unwrap() {
                assert!(
                    param["description"].as_str().unwrap().ends_with('.'),
                    "{name}: {param} says nothing of itself"
                );
            }
        }
    }

    #[test]
    fn what_needs_the_bridge_is_not_published() {
        let document = document();
        let published = texts(&document["methods"], "name");
        let bridge = BRIDGE_METHODS.iter().map(|(name, _)| *name).chain(BRIDGE_READS.iter().copied());
        assert_eq!(bridge.filter(|name| published.contains(name)).count(), 0);
    }

    #[test]
    fn every_reference_leads_to_something_and_every_type_is_used() {
        let document = document();
        let mut found = BTreeSet::new();
        refs(&document, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(found.contains(&format!("#/components/schemas/{name}")), "{name} is not used");
        }
    }

    #[test]
    fn a_field_that_may_be_left_out_is_never_null() {
        let document = document();
        let message = &document["components"]["schemas"]["Message"];
        assert_eq!(message["properties"]["reply_to_guid"]["type"], "string");
        assert!(!message["required"].as_array().unwrap().contains(&json!("reply_to_guid")));
        let delivery = &document["components"]["schemas"]["Delivery"];
        assert_eq!(delivery["properties"]["service"]["type"], json!(["string", "null"]));
        assert!(delivery["required"].as_array().unwrap().contains(&json!("service")));
    }

    #[test]
    fn bounds_defaults_and_spellings_are_those_of_the_table() {
        let document = document();
        let subscribe = document["methods"].as_array().unwrap().iter().find(|one| one["name"] == "watch.subscribe");
        let params = subscribe.unwrap()["params"].as_array().unwrap();
        let buffer = params.iter().find(|param| param["name"] == "buffer_limit").unwrap();
        assert_eq!(buffer["schema"], json!({"type": "integer", "minimum": 1, "maximum": 4096, "default": 256}));
        assert_eq!((&buffer["required"], &buffer["x-aliases"]), (&json!(false), &json!(["bufferLimit"])));
    }
}
