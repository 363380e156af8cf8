// Writes the TypeScript types of an OpenRPC document of imsgd:
//   node types.mjs OPENRPC.JSON >imsgd.d.ts
import fs from "node:fs";
import { compile } from "json-schema-to-typescript";

const banner = `// The protocol of imsgd: JSON-RPC 2.0, one object a line. Made from \`imsgd rpc --discover\` by \`make types\`;
// do not edit.`;

const document = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));

// "chats.list" is taken with ChatsListParams.
const paramsName = (method) =>
  method.split(/[._]/).map((word) => word[0].toUpperCase() + word.slice(1)).join("") + "Params";

const described = (description, schema) => {
  const notes = "default" in schema ? [`Default: ${JSON.stringify(schema.default)}.`] : [];
  if ("minimum" in schema) notes.push(`At least ${schema.minimum}.`);
  if ("maximum" in schema) notes.push(`At most ${schema.maximum}.`);
  return [description, ...notes].join(" ");
};

const definitions = { ...document.components.schemas };
const methods = {};
for (const { name, description, params, result } of document.methods) {
  const fields = params.map((param) => {
    const { default: _, minimum: _least, maximum: _most, ...schema } = param.schema;
    return [param.name, { ...schema, description: described(param.description, param.schema) }];
  });
  const required = params.filter((param) => param.required).map((param) => param.name);
  let taken = { type: "object", tsType: "Record<string, never>" };
  if (fields.length > 0) {
    taken = { $ref: `#/components/schemas/${paramsName(name)}` };
    definitions[paramsName(name)] = {
      type: "object",
      description: `Parameters of \`${name}\`.`,
      properties: Object.fromEntries(fields),
      required,
    };
  }
  methods[name] = {
    type: "object",
    description,
    properties: { params: taken, result: result.schema },
    required: ["params", "result"],
  };
}
const notifications = document["x-notifications"].map(({ name, description, params }) => [
  name,
  { description, allOf: [params] },
]);
const errors = Object.entries(document["x-error-data"]);

const map = (description, properties) => ({
  type: "object",
  description,
  properties,
  required: Object.keys(properties),
});
const root = map("All of the protocol.", {
  methods: { $ref: "#/components/schemas/Methods" },
  notifications: { $ref: "#/components/schemas/Notifications" },
  errorData: { $ref: "#/components/schemas/ErrorData" },
});
definitions.Methods = map("What each method takes and gives, by name.", methods);
definitions.Notifications = map(
  "What the server says without being asked: its `params`, by method.",
  Object.fromEntries(notifications),
);
definitions.ErrorData = map(
  "What an error carries as `data` where that is an object, by code. Where it is none, it is a text.",
  Object.fromEntries(errors),
);

const types = await compile({ ...root, components: { schemas: definitions } }, "Imsgd", {
  additionalProperties: false,
  bannerComment: banner,
  strictIndexSignatures: true,
  style: { printWidth: 120 },
});
process.stdout.write(types);
