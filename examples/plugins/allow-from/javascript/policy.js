// Only who is listed may write to us; how many messages were turned away is counted. In JavaScript, beside the same
// policy in Rust and in Python.
//
// Configuration: `allow_from`, a list of numbers and e-mail addresses, or `*` for everybody. Keeps `rejected` in the
// store: how many messages were turned away. Rejects with `not_in_allow_from`.

import { normalize } from "imsgd:policy/host@0.1.0";
import { get, set } from "imsgd:policy/store@0.1.0";

let allowed = new Set();

function entry(written, index) {
  if (written === "*") return written;
  const address = typeof written === "string" ? normalize(written) : undefined;
  // What is thrown here is the error of `configure`, and the policy is refused with it.
  if (address === undefined) throw `allow_from[${index}]: ${JSON.stringify(written)} is no number or e-mail address`;
  return address;
}

export const policy = {
  configure(json) {
    const { allow_from: list = [], ...others } = JSON.parse(json);
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) throw `${unknown}: unknown key, there is only allow_from`;
    if (!Array.isArray(list)) throw "allow_from: must be a list";
    allowed = new Set(list.map(entry));
  },
};

export const allowlist = {
  admit(message) {
    if (allowed.has("*") || allowed.has(message.sender().address())) {
      return { tag: "admit", val: undefined };
    }
    count();
    return { tag: "reject", val: "not_in_allow_from" };
  },
};

// Values of the store are bytes; JSON is what other tools can show.
function count() {
  const stored = get("rejected");
  const rejected = stored === undefined ? 0 : JSON.parse(new TextDecoder().decode(stored));
  // What is thrown here ends the call: the message is held, and nothing that the call wrote is kept.
  if (!Number.isInteger(rejected)) throw new Error("store: `rejected` is no number");
  set("rejected", new TextEncoder().encode(JSON.stringify(rejected + 1)));
}
