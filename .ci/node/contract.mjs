// Checks an OpenRPC document of imsgd, and what a daemon really said against it:
//   node contract.mjs OPENRPC.JSON RECORDING...
// Each line of a recording is {method, params, result}, {method, params, error} or {notification}; tests write them.
import fs from "node:fs";
import { dereferenceDocument, validateOpenRPCDocument } from "@open-rpc/schema-utils-js";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const [path, ...recordings] = process.argv.slice(2);
const document = JSON.parse(fs.readFileSync(path, "utf8"));

let failures = 0;
const fail = (what) => {
  failures += 1;
  if (failures <= 20) console.error(`contract: ${what}`);
};
const short = (value) => JSON.stringify(value)?.slice(0, 400);

// Against the meta-schema, and every reference resolved.
const valid = validateOpenRPCDocument(document);
if (valid !== true) fail(`not an OpenRPC document: ${valid.message}`);
await dereferenceDocument(structuredClone(document));

// To clients a type is open: fields may come. Here it is closed, so that none comes unpublished.
const closed = (schema) => {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  if (schema.type === "object" && schema.properties && !("additionalProperties" in schema)) {
    inner.additionalProperties = false;
  }
  return inner;
};

const ajv = addFormats(new Ajv({ allErrors: true, strict: true, allowUnionTypes: true }));
const components = { $id: "imsgd", definitions: closed(document.components.schemas) };
const local = (schema) =>
  JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", "imsgd#/definitions/"));
ajv.addSchema(local(components));
const checker = (schema) => ajv.compile(local(closed(schema)));

const methods = new Map();
for (const { name, params, result, errors } of document.methods) {
  const spellings = params.flatMap((param) =>
    [param.name, ...(param["x-aliases"] ?? [])].map((spelling) => [spelling, param.schema]),
  );
  methods.set(name, {
    params: checker({ type: "object", properties: Object.fromEntries(spellings) }),
    choices: new Set(spellings.filter(([, schema]) => schema.enum).map(([spelling]) => spelling)),
    result: checker(result.schema),
    errors: errors.map(({ $ref }) => document.components.errors[$ref.split("/").pop()]),
  });
}
const notifications = new Map(document["x-notifications"].map(({ name, params }) => [name, checker(params)]));
const errorData = new Map(Object.entries(document["x-error-data"]).map(([code, schema]) => [code, checker(schema)]));

// More is taken than is published: null for what is left out, and some choices in any case.
const asPublished = (params, choices) => {
  const given = Object.entries(params).filter(([, value]) => value !== null);
  return Object.fromEntries(
    given.map(([key, value]) => [key, choices.has(key) && typeof value === "string" ? value.toLowerCase() : value]),
  );
};

const seen = new Set();
let lines = 0;
const check = (validate, value, what) => {
  if (!validate(value)) fail(`${what}: ${ajv.errorsText(validate.errors)}\n  ${short(value)}`);
};
const take = ({ method, params, result, error, notification }) => {
  if (notification) {
    const validate = notifications.get(notification.method);
    if (!validate) return fail(`unpublished notification ${short(notification)}`);
    seen.add(`notification ${notification.method}`);
    return check(validate, notification.params, `notification ${notification.method}`);
  }
  const published = methods.get(method);
  // What needs the private bridge of imsg is refused, and not published.
  if (!published) return result === undefined || fail(`unpublished method ${method} gives ${short(result)}`);
  if (error) {
    const { code, message, data } = error;
    const isKnown = published.errors.some((one) => one.code === code && one.message === message);
    if (!isKnown) fail(`${method}: unpublished error ${short(error)}`);
    if (typeof data !== "string") check(errorData.get(String(code)) ?? (() => false), data, `${method}: error ${code}`);
    return;
  }
  seen.add(`method ${method}`);
  check(published.params, asPublished(params ?? {}, published.choices), `parameters of ${method}`);
  check(published.result, result, `result of ${method}`);
};
for (const recording of recordings) {
  for (const line of fs.readFileSync(recording, "utf8").split("\n").filter(Boolean)) {
    lines += 1;
    take(JSON.parse(line));
  }
}
for (const wanted of [
  ...[...methods.keys()].map((name) => `method ${name}`),
  ...[...notifications.keys()].map((name) => `notification ${name}`),
]) {
  if (recordings.length > 0 && !seen.has(wanted)) fail(`no test has shown ${wanted}`);
}
if (failures > 0) {
  console.error(`contract: ${failures} failures`);
  process.exit(1);
}
console.log(`contract: a valid OpenRPC document of ${methods.size} methods; ${lines} answers and notifications fit it`);
